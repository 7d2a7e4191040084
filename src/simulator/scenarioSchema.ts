// How a scenario file is written: the one source of its checks and of the published JSON Schema.
import { type JsonSchema, toAjvSchema } from '../api/schemas/jsonSchema.ts';
import type { ObjectSchema, Schema, TextSchema } from '../api/schemas/schema.ts';
import { DURATION_PATTERN } from '../model/duration.ts';

const RANGE_PATTERN = '^[0-9]+(ms|s|m|h|d)(\\.\\.[0-9]+(ms|s|m|h|d))?$';

function duration(description: string): TextSchema {
  const meaning = 'a duration such as 90s, 10m or 7d';
  return { type: 'text', description, pattern: DURATION_PATTERN, meaning, maxLength: 32 };
}

function range(description: string): TextSchema {
  const meaning = 'a duration such as 30s, or two of them as in 20s..40s';
  return { type: 'text', description, pattern: RANGE_PATTERN, meaning, maxLength: 32 };
}

function text(description: string): TextSchema {
  return { type: 'text', description, minLength: 1, maxLength: 500 };
}

function count(description: string): Schema {
  return { type: 'int32', description, minimum: 0 };
}

function share(description: string): Schema {
  return { type: 'number', description, minimum: 0, maximum: 1 };
}

const CLOUD: ObjectSchema = {
  type: 'object',
  description: 'The simulated AWS account.',
  properties: {
    zones: {
      type: 'list',
      description: 'Zones that have subnets.',
      items: text('Name of a zone.'),
      minItems: 1,
      maxItems: 20,
    },
    spotFraction: share('Spot prices as a share of on-demand prices. Without it nothing is sold as spot.'),
    launch: range('How long CreateFleet takes to answer.'),
    boot: range('From the launch until the kubelet registers the Node.'),
    shutdown: range('From TerminateInstances until the instance is terminated.'),
  },
};

const KUBELET: ObjectSchema = {
  type: 'object',
  description: 'How fast nodes and pods start.',
  properties: {
    ready: duration('From the registration of a Node until it is Ready.'),
    startupTaints: duration('From Ready until startup taints are taken off.'),
    pull: duration('First pull of an image on a node.'),
    start: duration('Start of a pod whose images are there.'),
  },
};

const STEP: ObjectSchema = {
  type: 'object',
  description: 'From this time on, this many replicas; for a Job, this many new pods at this time.',
  required: ['at', 'replicas'],
  properties: { at: duration('Time since the start.'), replicas: count('Number of replicas.') },
};

const CURVE: ObjectSchema = {
  type: 'object',
  description:
    'How many replicas one Deployment or Job has over time: one of steps, daily, autoscaled, bursts, arrivals.',
  required: ['workload'],
  properties: {
    workload: text('Namespace and name of the Deployment or Job: web/nginx.'),
    runTime: duration(
      'How long each pod runs before it succeeds. Without it pods run until they are deleted.',
    ),
    steps: { type: 'list', description: 'Replicas by time.', items: STEP, maxItems: 100_000 },
    daily: {
      type: 'object',
      description: 'Office hours: base at night, peak by day, times in UTC.',
      required: ['base', 'peak', 'from', 'until'],
      properties: {
        base: count('Replicas outside the hours.'),
        peak: count('Replicas at the busiest.'),
        from: duration('When the day begins, since midnight.'),
        until: duration('When the day ends, since midnight.'),
        ramp: duration('How long it takes from base to peak, and back. Default 2h.'),
        weekdaysOnly: { type: 'flag', description: 'Saturdays and Sundays stay at base. Default true.' },
      },
    },
    autoscaled: {
      type: 'object',
      description: 'A HorizontalPodAutoscaler over a demand.',
      required: ['perPod', 'least', 'most', 'demand'],
      properties: {
        perPod: count('How much of the demand one pod carries.'),
        least: count('Fewest replicas.'),
        most: count('Most replicas.'),
        demand: {
          type: 'list',
          description: 'The demand by time.',
          items: {
            type: 'object',
            description: 'From this time on, this much demand.',
            required: ['at', 'units'],
            properties: { at: duration('Time since the start.'), units: count('The demand.') },
          },
          maxItems: 100_000,
        },
      },
    },
    bursts: {
      type: 'object',
      description: 'New pods in bursts, for Jobs.',
      required: ['every', 'pods'],
      properties: { every: duration('Time between two bursts.'), pods: count('Pods of one burst.') },
    },
    arrivals: {
      type: 'list',
      description: 'New pods one by one, for Jobs, each with a run time of its own: what traces become.',
      items: {
        type: 'object',
        description: 'One pod.',
        required: ['at'],
        properties: {
          at: duration('When it is created, since the start.'),
          runTime: duration('How long it runs before it succeeds. Without it, to the end.'),
        },
      },
      maxItems: 1_000_000,
    },
  },
};

const SHORTAGE: ObjectSchema = {
  type: 'object',
  description: 'A time without capacity; what is not named is short everywhere.',
  required: ['from', 'until'],
  properties: {
    instanceType: text('Instance type that is short.'),
    zone: text('Zone that is short.'),
    capacityType: { ...text('Capacity type that is short.'), enum: ['spot', 'on-demand'] },
    from: duration('Begin, since the start.'),
    until: duration('End, since the start.'),
  },
};

const BAD_IMAGE: ObjectSchema = {
  type: 'object',
  description: 'A time in which what a Provisioner launches never becomes a Node.',
  required: ['provisioner', 'from', 'until'],
  properties: {
    provisioner: text('Whose instances.'),
    from: duration('Begin, since the start.'),
    until: duration('End, since the start; what was launched before stays as it is.'),
  },
};

const FAULTS: ObjectSchema = {
  type: 'object',
  description: 'What goes wrong.',
  properties: {
    throttled: share('Cloud calls that are throttled.'),
    answerLost: share('Launches and writes that go through, and whose answer does not come back.'),
    repeatedCalls: share(
      'Calls that go through twice, as when a client repeats one whose answer it has lost.',
    ),
    failedCalls: share('Writes to the API server that fail outright.'),
    conflicts: share('Writes that meet a conflict.'),
    partialFleets: share(
      'Times when, of the launches asked for together, only the first few get an instance.',
    ),
    failedLists: share('Lists of instances that fail.'),
    staleLists: share('Lists of instances that answer as of up to 20 seconds ago.'),
    neverBoots: share('Instances that never register.'),
    neverReady: share('Instances whose Node never becomes Ready.'),
    registersTwice: share(
      'Instances whose Node is deleted and comes again, or comes again under another name.',
    ),
    lateEvents: share('Watch events that come up to five seconds late.'),
    repeatedEvents: share('Watch events that come twice.'),
    reorderedEvents: share('Watch events that may overtake those of other objects of their kind.'),
    crashEvery: duration('Mean time between crashes of the controller.'),
    twoLeadersEvery: duration('Mean time between takeovers in which the old leader acts on for 15 seconds.'),
    staleWatchEvery: duration(
      'Mean time between watches of one kind that stand still while writes go through.',
    ),
    relistEvery: duration('Mean time between watches that end with 410 Gone.'),
    apiOutageEvery: duration('Mean time between outages of the API server, of 5 seconds to 5 minutes.'),
    clockJumpEvery: duration('Mean time between jumps of the wall clock, by up to ten minutes either way.'),
    interruptionEvery: duration(
      'Mean time between spot instances that get a two-minute notice, in the whole cluster.',
    ),
    hostFailureEvery: duration('Mean time between instances that end without notice, in the whole cluster.'),
    silenceEvery: duration('Mean time between kubelets that fall silent, in the whole cluster.'),
    unreadyPodEvery: duration(
      'Mean time between pods that are not ready for some minutes, in the whole cluster.',
    ),
    shortageEvery: duration('Mean time between pools that run empty for up to 15 minutes.'),
    shortages: { type: 'list', description: 'Times without capacity.', items: SHORTAGE, maxItems: 1000 },
    badImages: {
      type: 'list',
      description: 'Images, user data or roles with which nothing ever joins.',
      items: BAD_IMAGE,
      maxItems: 1000,
    },
  },
};

const EXPECT: ObjectSchema = {
  type: 'object',
  description: 'What must hold at the end.',
  properties: {
    noNodesLeft: { type: 'flag', description: 'No node of a Provisioner is left.' },
    noPodsPending: { type: 'flag', description: 'No pod waits for a node.' },
    pendingAtMost: duration('No pod waited longer for its node than this.'),
    usdAtMost: { type: 'number', description: 'All nodes together cost no more than this.', minimum: 0 },
    nodesAtMost: count('Nodes of Provisioners at any time.'),
    evictionsAtMost: count('Pods evicted.'),
    nodeAgeAtMost: duration('No node of a Provisioner is older than this at the end.'),
  },
};

const CHANGE: ObjectSchema = {
  type: 'object',
  description: 'Objects that somebody applies anew at this time.',
  required: ['at', 'manifests'],
  properties: {
    at: duration('Time since the start.'),
    manifests: {
      type: 'list',
      description: 'Provisioners and AWSNodeTemplates, whole.',
      items: { type: 'object', description: 'One object.', preserveUnknownFields: true },
      minItems: 1,
      maxItems: 1000,
    },
  },
};

/** The whole file. */
export const SCENARIO: ObjectSchema = {
  type: 'object',
  description: 'A simulated cluster: what is in it, what happens to it, what must come of it.',
  required: ['name', 'duration', 'manifests'],
  properties: {
    name: text('Short name, as in the file name.'),
    summary: text('What it shows, in one sentence.'),
    start: { ...text('When it starts. Default 2026-01-05T00:00:00Z, a Monday.'), format: 'date-time' },
    duration: duration('How long it runs.'),
    cloud: CLOUD,
    kubelet: KUBELET,
    manifests: {
      type: 'list',
      description:
        'Kubernetes objects as users apply them: Provisioner, AWSNodeTemplate, Namespace, Deployment, Job, ' +
        'DaemonSet, PodDisruptionBudget.',
      items: { type: 'object', description: 'One object.', preserveUnknownFields: true },
      minItems: 1,
      maxItems: 10_000,
    },
    staticNodes: {
      type: 'list',
      description: 'Nodes that are there from the start and belong to no Provisioner.',
      items: {
        type: 'object',
        description: 'One node.',
        required: ['name', 'instanceType', 'zone'],
        properties: {
          name: text('Name of the Node.'),
          instanceType: text('Its instance type.'),
          zone: text('Its zone.'),
        },
      },
      maxItems: 10_000,
    },
    curves: { type: 'list', description: 'Replicas over time.', items: CURVE, maxItems: 10_000 },
    changes: { type: 'list', description: 'What is applied later.', items: CHANGE, maxItems: 1000 },
    faults: FAULTS,
    expect: EXPECT,
  },
};

/** The schema as published in `docs/schemas`, for editors. */
export function publishedScenarioSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Cooper scenario',
    ...toAjvSchema(SCENARIO),
  };
}
