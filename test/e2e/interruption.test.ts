// A spot warning through a real queue: the node is drained, and its pods run elsewhere, before EC2 takes the instance.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { reasonToSkip } from './harness/prerequisites.ts';
import { addFullStaticNode, deployment, eventsAbout, provisioner, startStory } from './harness/story.ts';
import type { World } from './harness/world.ts';

const QUEUE = 'chris-interruptions';
const SPOT = [{ key: 'karpenter.sh/capacity-type', operator: 'In', values: ['spot'] }];
/** What EC2 gives from its warning to the end. */
const NOTICE_MS = 120_000;

describe('spot interruptions', { skip: await reasonToSkip() }, () => {
  let world: World;
  let sqs: SQSClient;
  let queueUrl = '';

  before(async () => {
    world = await startStory({ namespaces: ['web'] });
    const { endpoint, region } = world.moto;
    sqs = new SQSClient({
      endpoint,
      region,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    const made = await sqs.send(new CreateQueueCommand({ QueueName: QUEUE }));
    queueUrl = made.QueueUrl ?? assert.fail('no queue');
    await addFullStaticNode(world);
    await world.apply(provisioner({ requirements: SPOT, ttlSecondsAfterEmpty: 5 }));
  });
  after(async () => {
    sqs.destroy();
    await world.stop();
  });

  function send(body: string): Promise<unknown> {
    return sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: body }));
  }

  function warning(instanceId: string): string {
    return JSON.stringify({
      version: '0',
      id: `warning-of-${instanceId}`,
      'detail-type': 'EC2 Spot Instance Interruption Warning',
      source: 'aws.ec2',
      account: '123456789012',
      time: new Date().toISOString(),
      region: world.moto.region,
      resources: [],
      detail: { 'instance-id': instanceId, 'instance-action': 'terminate' },
    });
  }

  async function messagesLeft(): Promise<number> {
    const AttributeNames = ['All'] as const;
    const asked = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: [...AttributeNames] });
    const { Attributes = {} } = await sqs.send(asked);
    const { ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible } = Attributes;
    return Number(ApproximateNumberOfMessages) + Number(ApproximateNumberOfMessagesNotVisible);
  }

  async function onlySpotInstance() {
    const [instance, ...others] = await world.moto.liveInstances();
    assert.ok(instance);
    assert.equal(others.length, 0);
    assert.equal(instance.capacityType, 'spot');
    return instance;
  }

  async function untilReplaced(instanceId: string, noticedAtMs: number): Promise<void> {
    const ended = await world.until(
      async () =>
        (await world.moto.instances()).find(({ id, state }) => id === instanceId && state === 'terminated'),
      { what: 'the interrupted instance to be given back', timeoutMs: NOTICE_MS },
    );
    const shutAtMs = ended.history.find(({ state }) => state === 'shutting-down')?.atMs ?? 0;
    assert.ok(shutAtMs - noticedAtMs < NOTICE_MS, `given back after ${shutAtMs - noticedAtMs} ms`);
    const evicted = (await eventsAbout(world, 'Pod')).filter((line) =>
      line.startsWith(`Evict: Evicted from ${ended.privateDnsName}`),
    );
    assert.equal(evicted.length, 3, `drained, not ended with its pods: ${evicted.join(', ')}`);
    await world.untilRunning('web', 3, 60_000);
    const replacement = await onlySpotInstance();
    assert.notEqual(replacement.id, instanceId);
    const interrupted = `${ended.instanceType} ${ended.zone}`;
    assert.notEqual(`${replacement.instanceType} ${replacement.zone}`, interrupted, 'the same pool again');
    const startedAtMs = replacement.history[0]?.atMs ?? Number.POSITIVE_INFINITY;
    assert.ok(startedAtMs - noticedAtMs < NOTICE_MS / 4, `replaced after ${startedAtMs - noticedAtMs} ms`);
  }

  test('a warning in the queue drains the node in time; duplicates and rubbish do no harm', async () => {
    world.controller.start({ INTERRUPTION_QUEUE: QUEUE });
    await world.apply(
      deployment({ name: 'app', namespace: 'web', replicas: 3, cpu: '500m', memory: '128Mi' }),
    );
    await world.untilRunning('web', 3, 60_000);
    const { id } = await onlySpotInstance();
    const noticedAtMs = Date.now();
    await send('{"not": "an event');
    await send(JSON.stringify({ source: 'aws.s3', 'detail-type': 'Object Created', detail: {} }));
    await send(warning('i-0123456789abcdef0'));
    await send(warning(id));
    await send(warning(id));
    await untilReplaced(id, noticedAtMs);
    const told = (await eventsAbout(world, 'NodeClaim')).filter((line) => line.startsWith('SpotInterrupted'));
    assert.equal(told.length, 1, told.join('\n'));
    assert.match(told[0] ?? '', /EC2 will terminate the spot instance, 1[0-2]\d s from now/);
    const malformed = world.controller.logs().filter(({ msg }) => /malformed/.test(msg));
    assert.equal(malformed.length, 1);
    await world.until(async () => (await messagesLeft()) === 0, {
      what: 'the queue to be empty',
      timeoutMs: 40_000,
    });
    const asked = await world.moto.calls('DescribeSpotInstanceRequests');
    assert.equal(asked.length, 0, 'EC2 was polled although there is a queue');
  });

  test('it stops at once, although it waits for the queue', async () => {
    const askedAtMs = Date.now();
    await world.controller.stop(15_000);
    assert.equal(world.controller.isRunning(), false);
    assert.ok(Date.now() - askedAtMs < 10_000);
  });

  test('with no queue, EC2 is asked: a reclaim code on the spot request drains the node', async () => {
    world.controller.start();
    await world.untilRunning('web', 3, 60_000);
    const { id } = await onlySpotInstance();
    const noticedAtMs = Date.now();
    await world.moto.announceReclaim(id);
    await untilReplaced(id, noticedAtMs);
    const told = (await eventsAbout(world, 'NodeClaim')).filter((line) =>
      /instance-terminated-no-capacity/.test(line),
    );
    assert.equal(told.length, 1, told.join('\n'));
  });
});
