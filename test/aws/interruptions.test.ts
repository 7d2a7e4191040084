// Both sources of interruption notices: what is read from messages and from EC2, and what a broken message costs.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AwsFault } from '../../src/aws/awsFault.ts';
import type { Ec2Instance } from '../../src/aws/ec2Api.ts';
import { readInterruptionMessage } from '../../src/aws/interruptionMessages.ts';
import { type NoticeApi, PolledInterruptions, RECLAIM_CODES } from '../../src/aws/interruptionPolling.ts';
import { InterruptionQueue, type QueueMessage, type SqsApi } from '../../src/aws/interruptionQueue.ts';
import type { WatchedInstance } from '../../src/ports/interruptions.ts';
import type { Log } from '../../src/ports/telemetry.ts';
import { type LoggedLine, StillClock } from './account.ts';

const AT = '2026-11-21T10:00:00Z';
const AT_MS = Date.parse(AT);

function event(source: string, type: string, detail: object | undefined, time = AT): string {
  return JSON.stringify({ version: '0', id: 'e-1', source, 'detail-type': type, time, detail });
}

const SPOT = 'EC2 Spot Instance Interruption Warning';
const STATE = 'EC2 Instance State-change Notification';

const CASES = [
  {
    what: 'a spot warning, two minutes before',
    body: event('aws.ec2', SPOT, { 'instance-id': 'i-01', 'instance-action': 'terminate' }),
    notices: [['SpotInterruption', 'i-01', AT_MS + 120_000, /will terminate/]],
  },
  {
    what: 'a spot warning of a stop',
    body: event('aws.ec2', SPOT, { 'instance-id': 'i-01', 'instance-action': 'stop' }),
    notices: [['SpotInterruption', 'i-01', AT_MS + 120_000, /will stop/]],
  },
  {
    what: 'a spot warning without a readable time',
    body: event('aws.ec2', SPOT, { 'instance-id': 'i-01' }, 'soon'),
    notices: [['SpotInterruption', 'i-01', null, /will terminate/]],
  },
  {
    what: 'a rebalance recommendation',
    body: event('aws.ec2', 'EC2 Instance Rebalance Recommendation', { 'instance-id': 'i-02' }),
    notices: [['RebalanceRecommendation', 'i-02', null, /elevated risk/]],
  },
  {
    what: 'a change of state to stopping',
    body: event('aws.ec2', STATE, { 'instance-id': 'i-03', state: 'stopping' }),
    notices: [['StateChange', 'i-03', null, /is stopping/]],
  },
  {
    what: 'a change of state to running, which needs nothing',
    body: event('aws.ec2', STATE, { 'instance-id': 'i-03', state: 'running' }),
    notices: [],
  },
  {
    what: 'the end of a capacity reservation',
    body: event('aws.ec2', 'EC2 Capacity Reservation Instance Interruption Warning', {
      'instance-id': 'i-04',
      'instance-termination-time': '2026-11-21T10:30:00Z',
    }),
    notices: [['CapacityReservationInterruption', 'i-04', AT_MS + 1_800_000, /reservation ends/]],
  },
  {
    what: 'a scheduled change of two instances and a volume',
    body: event('aws.health', 'AWS Health Event', {
      service: 'EC2',
      eventTypeCategory: 'scheduledChange',
      eventTypeCode: 'AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED',
      startTime: 'Sat, 21 Nov 2026 12:00:00 GMT',
      affectedEntities: [{ entityValue: 'i-05' }, { entityValue: 'vol-1' }, { entityValue: 'i-06' }],
    }),
    notices: [
      ['ScheduledChange', 'i-05', AT_MS + 7_200_000, /INSTANCE_RETIREMENT/],
      ['ScheduledChange', 'i-06', AT_MS + 7_200_000, /INSTANCE_RETIREMENT/],
    ],
  },
  {
    what: 'a health event of another service',
    body: event('aws.health', 'AWS Health Event', { service: 'RDS', eventTypeCategory: 'scheduledChange' }),
    notices: [],
  },
] as const;

describe('interruption messages', () => {
  for (const { what, body, notices } of CASES) {
    it(`reads ${what}`, () => {
      const read = readInterruptionMessage(body, 'r');
      const found = read.kind === 'notices' ? read.notices : assert.fail(JSON.stringify(read));
      assert.deepEqual(
        found.map(({ kind, instanceId, deadlineMs, receipt }) => [kind, instanceId, deadlineMs, receipt]),
        notices.map(([kind, id, deadlineMs]) => [kind, id, deadlineMs, 'r']),
      );
      for (const [index, [, , , message]] of notices.entries())
        assert.match(found[index]?.message ?? '', message);
    });
  }

  const MALFORMED = [
    { body: '{"half":', problem: /no JSON/ },
    { body: '[]', problem: /no JSON object/ },
    { body: '{"hello": "world"}', problem: /no event of EventBridge/ },
    { body: event('aws.ec2', SPOT, undefined), problem: /without detail/ },
    { body: event('aws.ec2', SPOT, { 'instance-id': 7 }), problem: /without instance-id/ },
    { body: event('aws.ec2', STATE, { 'instance-id': 'i-1' }), problem: /without state/ },
    {
      body: event('aws.health', 'AWS Health Event', { service: 'EC2', eventTypeCategory: 'scheduledChange' }),
      problem: /without affectedEntities/,
    },
  ];
  for (const { body, problem } of MALFORMED) {
    it(`says of ${body.slice(0, 60)} that it ${problem.source}`, () => {
      const read = readInterruptionMessage(body, 'r');
      assert.match(read.kind === 'malformed' ? read.problem : assert.fail(read.kind), problem);
    });
  }

  it('never throws, whatever the body', () => {
    const known = fc.record({
      source: fc.constantFrom('aws.ec2', 'aws.health'),
      'detail-type': fc.constantFrom(SPOT, STATE, 'AWS Health Event'),
      time: fc.jsonValue(),
      detail: fc.jsonValue(),
    });
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), known.map(JSON.stringify)), (body) => {
        readInterruptionMessage(body, 'r');
      }),
      { numRuns: 500 },
    );
  });
});

/** A queue in memory: a delivery is there until it is deleted. */
class MemorySqs implements SqsApi {
  readonly messages: QueueMessage[] = [];
  readonly urlsAsked: string[] = [];
  fault: AwsFault | null = null;
  closed = false;

  async queueUrl(name: string): Promise<string> {
    this.urlsAsked.push(name);
    if (this.fault !== null) throw this.fault;
    return `https://sqs/${name}`;
  }

  async receiveMessages(): Promise<readonly QueueMessage[]> {
    if (this.fault !== null) throw this.fault;
    return [...this.messages];
  }

  async deleteMessages(_url: string, receipts: readonly string[]): Promise<void> {
    for (const receipt of receipts) {
      const index = this.messages.findIndex((message) => message.receipt === receipt);
      assert.ok(index >= 0, `${receipt} was deleted before`);
      this.messages.splice(index, 1);
    }
  }

  close(): void {
    this.closed = true;
  }
}

function aQueue(bodies: readonly string[]) {
  const sqs = new MemorySqs();
  for (const [index, body] of bodies.entries())
    sqs.messages.push({ id: `m-${index}`, body, receipt: `r-${index}` });
  const logged: LoggedLine[] = [];
  return { sqs, logged, queue: new InterruptionQueue(sqs, 'notices', logInto(logged)) };
}

function logInto(logged: LoggedLine[]): Log {
  const ignore = (): void => {};
  return {
    debug: ignore,
    info: ignore,
    warn: (fields, message) => logged.push({ fields, message }),
    error: ignore,
  };
}

describe('the interruption queue', () => {
  it('says what is malformed in one line, deletes it, and hands on the rest', async () => {
    const good = event('aws.ec2', SPOT, { 'instance-id': 'i-01' });
    const other = event('aws.s3', 'Object Created', {});
    const { sqs, logged, queue } = aQueue(['rubbish', good, other]);
    const { notices, againAfterMs } = await queue.receive();
    assert.deepEqual(
      notices.map(({ instanceId }) => instanceId),
      ['i-01'],
    );
    assert.equal(againAfterMs, 0);
    assert.deepEqual(
      logged.map(({ message, fields }) => [message, fields.message, fields.body]),
      [['malformed interruption message deleted', 'm-0', 'rubbish']],
    );
    assert.deepEqual(
      sqs.messages.map(({ id }) => id),
      ['m-1'],
    );
    await queue.acknowledge(notices);
    assert.deepEqual(sqs.messages, []);
  });

  it('keeps a message until all instances that it names are dealt with', async () => {
    const entities = [{ entityValue: 'i-1' }, { entityValue: 'i-2' }];
    const detail = { service: 'EC2', eventTypeCategory: 'scheduledChange', affectedEntities: entities };
    const { sqs, queue } = aQueue([event('aws.health', 'AWS Health Event', detail)]);
    const { notices } = await queue.receive();
    await queue.acknowledge(notices.slice(0, 1));
    assert.equal(sqs.messages.length, 1);
    const again = await queue.receive();
    await queue.acknowledge(again.notices);
    assert.equal(sqs.messages.length, 0);
  });

  it('asks for the URL of a name once, and never for that of a URL', async () => {
    const { sqs, queue } = aQueue([]);
    await queue.receive();
    await queue.receive();
    assert.deepEqual(sqs.urlsAsked, ['notices']);
    const direct = new InterruptionQueue(sqs, 'https://sqs.us-east-1.amazonaws.com/1/q', logInto([]));
    await direct.receive();
    assert.deepEqual(sqs.urlsAsked, ['notices']);
  });

  it('names the missing permission and the policy line, and tries again', async () => {
    const { sqs, logged, queue } = aQueue([event('aws.ec2', SPOT, { 'instance-id': 'i-01' })]);
    sqs.fault = new AwsFault('sqs:GetQueueUrl', 'AccessDenied', 'no');
    assert.deepEqual(await queue.receive(), { notices: [], againAfterMs: 10_000 });
    assert.match(String(logged[0]?.fields.error), /policy lacks .*sqs:GetQueueUrl/);
    sqs.fault = null;
    assert.equal((await queue.receive()).notices.length, 1);
  });

  it('asks no more once it is closed', async () => {
    const { sqs, queue } = aQueue(['{}']);
    queue.close();
    assert.equal((await queue.receive()).againAfterMs, Number.POSITIVE_INFINITY);
    assert.ok(sqs.closed);
    assert.equal(sqs.messages.length, 1);
  });
});

const SPOT_NODE: WatchedInstance = { instanceId: 'i-spot', capacityType: 'spot' };
const PLAIN_NODE: WatchedInstance = { instanceId: 'i-plain', capacityType: 'on-demand' };

function aPoller(answers: Partial<NoticeApi> = {}, going: readonly Partial<Ec2Instance>[] = []) {
  const clock = new StillClock();
  const asked: string[] = [];
  const logged: LoggedLine[] = [];
  const notices: NoticeApi = {
    describeScheduledEvents: async () => {
      asked.push('events');
      return (await answers.describeScheduledEvents?.()) ?? [];
    },
    describeSpotRequests: async (codes) => {
      asked.push('spot');
      return (await answers.describeSpotRequests?.(codes)) ?? [];
    },
  };
  const ec2 = {
    describeInstances: async () => {
      asked.push('states');
      return going as readonly Ec2Instance[];
    },
  };
  const settings = { clusterName: 'test' };
  const source = new PolledInterruptions({ ec2, notices, clock, log: logInto(logged), settings });
  return { clock, asked, logged, source };
}

describe('polling EC2 for interruptions', () => {
  it('asks nothing while there are no nodes', async () => {
    const { asked, source } = aPoller();
    assert.deepEqual(await source.receive([]), { notices: [], againAfterMs: 5_000 });
    assert.deepEqual(asked, []);
  });

  it('asks for spot requests every 5 s only while spot nodes exist, for events once a minute', async () => {
    const minute = async (watched: readonly WatchedInstance[]): Promise<Record<string, number>> => {
      const { clock, asked, source } = aPoller();
      const untilMs = clock.nowMs() + 59_999;
      for (let times = 0; clock.nowMs() < untilMs; times += 1) {
        assert.ok(times < 100, 'asked without a pause');
        clock.pass((await source.receive(watched)).againAfterMs);
      }
      const count = (what: string): number => asked.filter((one) => one === what).length;
      return { spot: count('spot'), states: count('states'), events: count('events') };
    };
    assert.deepEqual(await minute([SPOT_NODE, PLAIN_NODE]), { spot: 12, states: 2, events: 1 });
    assert.deepEqual(await minute([PLAIN_NODE]), { spot: 0, states: 2, events: 1 });
  });

  it('takes a reclaim code of a running instance for a warning, two minutes from its time', async () => {
    const codes: string[] = [];
    const { source } = aPoller({
      describeSpotRequests: async (statusCodes) => {
        codes.push(...statusCodes);
        const code = 'instance-terminated-no-capacity';
        const foreign = { instanceId: 'i-other', code, updatedAtMs: 1 };
        return [foreign, { instanceId: 'i-spot', code, updatedAtMs: AT_MS }];
      },
    });
    const { notices } = await source.receive([SPOT_NODE]);
    assert.deepEqual(
      notices.map(({ kind, instanceId, deadlineMs }) => [kind, instanceId, deadlineMs]),
      [['SpotInterruption', 'i-spot', AT_MS + 120_000]],
    );
    assert.deepEqual(codes, RECLAIM_CODES);
  });

  it('tells of scheduled events still to come, and of instances on their way out', async () => {
    const event = { instanceId: 'i-plain', code: 'instance-retirement', notBeforeMs: AT_MS };
    const { source } = aPoller(
      {
        describeScheduledEvents: async () => [
          { ...event, description: '[Completed] was retired' },
          { ...event, description: 'hardware fails' },
        ],
      },
      [{ id: 'i-plain', state: 'stopping' }],
    );
    const { notices } = await source.receive([PLAIN_NODE]);
    assert.deepEqual(
      notices.map(({ kind, deadlineMs }) => [kind, deadlineMs]),
      [
        ['StateChange', null],
        ['ScheduledChange', AT_MS],
      ],
    );
  });

  it('goes on with the other questions when one is refused, and names the policy line', async () => {
    const { logged, source, clock, asked } = aPoller(
      {
        describeSpotRequests: () =>
          Promise.reject(
            new AwsFault('ec2:DescribeSpotInstanceRequests', 'UnauthorizedOperation', 'encoded'),
          ),
      },
      [{ id: 'i-spot', state: 'stopped' }],
    );
    const { notices } = await source.receive([SPOT_NODE]);
    assert.equal(notices.length, 1);
    assert.match(String(logged[0]?.fields.error), /ec2:DescribeSpotInstanceRequests/);
    clock.pass(10_000);
    await source.receive([SPOT_NODE]);
    assert.equal(asked.filter((one) => one === 'spot').length, 1);
  });
});
