// Prints what the image weighs, how fast it starts and how much memory it takes when idle: `npm run image:figures`.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../e2e/harness/command.ts';
import { buildImage } from './harness/imageTree.ts';
import { startInstalled } from './harness/installed.ts';

const MIB = 1024 * 1024;
/** Caches are full by then, and the collector has run. */
const SETTLE_MS = 30_000;

/** CPU seconds of user and system so far. Source: proc(5), /proc/pid/stat, fields 14 and 15 in ticks of 10 ms. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentMib(pid: number): number {
  const [, kib = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

const { root } = await buildImage();
const bytes = Number((await runCommand('du', ['-sb', root])).split('\t')[0]);
console.log(`image: ${(bytes / MIB).toFixed(0)} MiB unpacked`);

const installed = await startInstalled();
try {
  await installed.release();
  await installed.world.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
  const controller = await installed.replica('one');
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
  await sleep(SETTLE_MS);
  console.log(`memory: ${residentMib(pid).toFixed(0)} MiB resident, idle`);
} finally {
  await installed.stop();
}
