// Which controller gets its turn when many are due.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControllerManager } from '../../src/controllers/manager.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import { podKey } from '../../src/model/pod.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNode, aNodeClaim, aPod } from '../builders.ts';

test('nodes that change all the time keep no controller from its turn', async () => {
  let nowMs = 1_800_000_000_000;
  const ignore = (): void => {};
  const done: string[] = [];
  const ports = {
    clock: { nowMs: () => nowMs, sleep: async () => {} },
    cloud: {
      list: async () => {
        done.push('garbage');
        return [];
      },
    },
    interruptions: {
      receive: async () => {
        done.push('interruption');
        return { notices: [], againAfterMs: 5_000 };
      },
    },
    telemetry: {
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      metrics: { count: ignore, observe: ignore, gauge: (name: string) => void done.push(name) },
    },
  } as unknown as Ports;
  const state = new ClusterState();
  const manager = new ControllerManager(ports, state, DEFAULT_SETTINGS);
  const pod = aPod();
  const arrival = { type: 'upsert', kind: 'pod', key: podKey(pod), object: pod } as const;
  state.apply(arrival);
  manager.noteEvent(arrival);
  for (let turn = 1; turn <= 20; turn++) {
    const object = aNode({ resourceVersion: `${turn}` });
    const event = { type: 'upsert', kind: 'node', key: object.name, object } as const;
    state.apply(event);
    manager.noteEvent(event);
    manager.poll(1);
    // Longer than the pause between two runs of one controller: the machine is busy.
    nowMs += 60;
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const what of ['garbage', 'interruption', 'cooper_pods_waiting']) assert.ok(done.includes(what), what);
});

test('a claim that can be read again is not held against the others', () => {
  const clock = { nowMs: () => 0, sleep: async () => {} };
  const manager = new ControllerManager({ clock } as unknown as Ports, new ClusterState(), DEFAULT_SETTINGS);
  const object = aNodeClaim();
  manager.noteInvalid({ kind: 'NodeClaim', name: object.name, uid: object.uid, problems: ['spec: planted'] });
  assert.equal(manager.memorySizes().invalidObjects, 1);
  manager.noteEvent({ type: 'upsert', kind: 'nodeClaim', key: object.name, object });
  assert.equal(manager.memorySizes().invalidObjects, 0);
});
