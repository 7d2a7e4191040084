// The NodeClaim resource, our subset of karpenter.sh/v1: the stored intent of one node.
import { conditions } from './conditions.ts';

import { kubelet } from './kubelet.ts';
import { annotations, labels, requirements, TAINTS_APART, taints } from './labels.ts';
import { resourceList } from './quantities.ts';
import type { ObjectSchema, Resource, TextSchema } from './schema.ts';
import { rule } from './schema.ts';
import { durationField } from './timeWindow.ts';

const text = (description: string, maxLength = 253): TextSchema => ({ type: 'text', description, maxLength });

/** The API server alone sees the old object, so only it can hold this; a read object cannot break it. */
const IMMUTABLE = rule<object>(
  {
    field: '',
    problem: 'was changed after creation',
    mend: 'leave it: delete the NodeClaim to get another node',
  },
  'self == oldSelf',
  () => true,
);

const launchGroup: ObjectSchema = {
  type: 'object',
  description: 'Claims planned together and alike: one fleet is asked for all of them.',
  required: ['id', 'size'],
  properties: {
    id: { ...text('The same for all of them, and never used again.'), minLength: 1 },
    size: { type: 'int32', description: 'How many claims were planned in it.', minimum: 2 },
  },
};

const spec: ObjectSchema = {
  type: 'object',
  description: 'What a launch needs, complete: it can be repeated from here alone.',
  required: ['provisioner', 'nodeClassRef', 'requirements', 'instanceTypes'],
  rules: [IMMUTABLE, TAINTS_APART],
  properties: {
    provisioner: { ...text('Name of the Provisioner that it belongs to.'), minLength: 1 },
    nodeClassRef: {
      type: 'object',
      description: 'Where the AWS part is written: in an AWSNodeTemplate, or inline in the Provisioner.',
      required: ['group', 'kind', 'name'],
      properties: {
        group: text('API group of the kind.'),
        kind: {
          type: 'text',
          description: 'Kind of the object.',
          enum: ['Provisioner', 'AWSNodeTemplate'],
          maxLength: 64,
        },
        name: { ...text('Name of the object.'), minLength: 1 },
      },
    },
    labels: labels('Labels of the node.', 'controller'),
    annotations: annotations('Annotations of the node.'),
    taints: taints('Taints of the node.'),
    startupTaints: taints('Taints of the node at boot, which a daemon removes.'),
    kubelet,
    requirements: requirements('What must hold of the instance and its node.', 'controller'),
    instanceTypes: {
      type: 'list',
      description: 'Instance types that hold the pods at an acceptable price, cheapest first.',
      items: text('Name of an instance type.', 63),
      maxItems: 60,
    },
    resources: {
      type: 'object',
      description: 'What the node must hold.',
      properties: { requests: resourceList('What its planned pods and daemons ask for together.') },
    },
    terminationGracePeriod: durationField(
      'How long after its deletion all that is left on the node ends; no bound when absent.',
    ),
    launchGroup,
  },
};

const status: ObjectSchema = {
  type: 'object',
  description: 'What is known of the instance and its node.',
  properties: {
    providerID: text('Id that the node will carry, such as aws:///us-east-1a/i-0123456789abcdef0.', 512),
    nodeName: text('Name of the node.'),
    instanceType: text('Instance type launched.'),
    zone: text('Availability zone launched into.'),
    capacityType: {
      type: 'text',
      description: 'How the instance is paid for.',
      enum: ['spot', 'on-demand'],
      maxLength: 16,
    },
    imageID: text('Image booted.'),
    usdPerHour: { type: 'number', description: 'Price at launch in US dollars per hour.', minimum: 0 },
    capacity: resourceList('What the node has.'),
    allocatable: resourceList('What of it pods can use.'),
    conditions,
  },
};

export const NODE_CLAIM: Resource = {
  group: 'karpenter.sh',
  version: 'v1',
  kind: 'NodeClaim',
  plural: 'nodeclaims',
  nameMaxLength: 253,
  shortNames: ['nc'],
  description: 'A NodeClaim is the intent of one node: stored before its launch, gone once its instance is.',
  spec,
  status,
  printerColumns: [
    {
      name: 'Type',
      type: 'string',
      jsonPath: '.status.instanceType',
      priority: 0,
      description: 'Instance type launched.',
    },
    {
      name: 'Capacity',
      type: 'string',
      jsonPath: '.status.capacityType',
      priority: 0,
      description: 'spot or on-demand.',
    },
    {
      name: 'Zone',
      type: 'string',
      jsonPath: '.status.zone',
      priority: 0,
      description: 'Availability zone.',
    },
    {
      name: 'USD/h',
      type: 'number',
      jsonPath: '.status.usdPerHour',
      priority: 0,
      description: 'Price at launch.',
    },
    {
      name: 'Node',
      type: 'string',
      jsonPath: '.status.nodeName',
      priority: 0,
      description: 'Name of the node.',
    },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Initialized")].status',
      priority: 0,
      description: 'Whether pods can run on it.',
    },
    {
      name: 'Provisioner',
      type: 'string',
      jsonPath: '.spec.provisioner',
      priority: 1,
      description: 'Provisioner that it belongs to.',
    },
    {
      name: 'ID',
      type: 'string',
      jsonPath: '.status.providerID',
      priority: 1,
      description: 'Instance of the node.',
    },
    {
      name: 'Age',
      type: 'date',
      jsonPath: '.metadata.creationTimestamp',
      priority: 0,
      description: 'Time since it was created.',
    },
  ],
};
