// Behind a closed fence EC2 can be asked, but nothing is bought, ended or deleted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ec2Api } from '../../src/aws/ec2Api.ts';
import { fencedEc2 } from '../../src/aws/fencedEc2.ts';
import type { Fence } from '../../src/ports/fence.ts';

/** Every method notes its name; what it answers does not matter here. */
function notingEc2(called: string[]): Ec2Api {
  const note = (name: string) => async () => {
    called.push(name);
    return [];
  };
  return new Proxy({} as Ec2Api, {
    ownKeys: () => METHODS as unknown as string[],
    getOwnPropertyDescriptor: (_target, name) => ({
      enumerable: true,
      configurable: true,
      value: note(String(name)),
    }),
    get: (_target, name) => note(String(name)),
  });
}

const READS = ['describeInstanceTypes', 'describeInstances', 'describeSubnets', 'getConsoleOutput'] as const;
const WRITES = [
  'createFleet',
  'terminateInstances',
  'createLaunchTemplate',
  'deleteLaunchTemplate',
  'createTags',
] as const;
const METHODS = [...READS, ...WRITES];

const CLOSED: Fence = {
  check: async () => {
    throw new Error('no');
  },
};

function call(ec2: Ec2Api, name: (typeof METHODS)[number]): Promise<unknown> {
  return (ec2[name] as (argument: unknown) => Promise<unknown>)([]);
}

for (const name of READS) {
  test(`${name} goes through a closed fence`, async () => {
    const called: string[] = [];
    await call(fencedEc2(notingEc2(called), CLOSED), name);
    assert.deepEqual(called, [name]);
  });
}

for (const name of WRITES) {
  test(`${name} does not go out behind a closed fence, and does behind an open one`, async () => {
    const called: string[] = [];
    await assert.rejects(call(fencedEc2(notingEc2(called), CLOSED), name), /^Error: no$/);
    assert.deepEqual(called, []);
    await call(fencedEc2(notingEc2(called), { check: async () => {} }), name);
    assert.deepEqual(called, [name]);
  });
}
