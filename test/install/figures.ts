// Prints what the image weighs, how fast it starts and how much memory it takes at rest: `npm run image:figures`.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../e2e/harness/command.ts';
import type { Controller } from '../e2e/harness/controller.ts';
import { storyManifest } from '../e2e/harness/story.ts';
import { buildImage } from './harness/imageTree.ts';
import { type Installed, startInstalled } from './harness/installed.ts';
import { memoryOf } from './harness/memory.ts';

const MIB = 1024 * 1024;
/** By then caches are full, and memory has been given back: both are looked after every half minute. */
const SETTLE_MS = 75_000;
const LONG_MS = 90_000;
const BURST_PODS = 300;

/** CPU seconds of user and system so far. Source: proc(5), /proc/pid/stat, fields 14 and 15 in ticks of 10 ms. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function tellMemory(pid: number, when: string): void {
  const { residentBytes, ownBytes } = memoryOf(pid);
  const [all, own] = [residentBytes, ownBytes].map((bytes) => (bytes / MIB).toFixed(0));
  console.log(`memory: ${all} MiB resident ${when}, ${own} of them its own, the rest mapped files`);
}

async function tellStart(controller: Controller): Promise<void> {
  const startedAtMs = Date.now();
  controller.start();
  const pid = controller.pid ?? 0;
  const started = await controller.waitForLog(({ msg }) => msg === 'starting', {
    what: 'starting',
    timeoutMs: 60_000,
  });
  const cpu = cpuSeconds(pid).toFixed(2);
  const wallMs = new Date(started.time).getTime() - startedAtMs;
  console.log(`start: ${wallMs} ms until its probes are answered, ${cpu} s of CPU`);
  await controller.waitForLog(({ msg }) => msg === 'leading', { what: 'leading', timeoutMs: 120_000 });
  console.log(`ready: ${Date.now() - startedAtMs} ms until it leads, ${cpuSeconds(pid).toFixed(2)} s of CPU`);
}

/** Pods come in a burst, get their nodes, and go; their nodes after them. */
async function burst({ world }: Installed): Promise<void> {
  await world.apply(storyManifest('elastic-nginx-provisioner.yaml'));
  await world.apply(storyManifest('elastic-nginx.yaml'));
  await world.kube.scale('web', 'nginx', BURST_PODS);
  await world.untilRunning('web', BURST_PODS, 300_000);
  await world.kube.scale('web', 'nginx', 0);
  const isEmpty = async (): Promise<boolean> => (await world.moto.liveInstances()).length === 0;
  await world.until(isEmpty, { what: 'all instances to be given back', timeoutMs: 300_000 });
}

const { root } = await buildImage();
const bytes = Number((await runCommand('du', ['-sb', root])).split('\t')[0]);
console.log(`image: ${(bytes / MIB).toFixed(0)} MiB unpacked`);

const installed = await startInstalled();
try {
  await installed.release();
  await installed.world.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
  const controller = await installed.replica('one');
  await tellStart(controller);
  const pid = controller.pid ?? 0;
  tellMemory(pid, 'when it starts to lead');
  await sleep(SETTLE_MS);
  tellMemory(pid, `at rest, ${SETTLE_MS / 1000} s later`);
  await sleep(LONG_MS);
  tellMemory(pid, `at rest, ${(SETTLE_MS + LONG_MS) / 1000} s later`);
  await burst(installed);
  tellMemory(pid, `after a burst of ${BURST_PODS} pods has gone`);
  await sleep(SETTLE_MS);
  tellMemory(pid, `at rest again, ${SETTLE_MS / 1000} s later`);
} finally {
  await installed.stop();
}
