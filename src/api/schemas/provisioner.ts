// The Provisioner resource, karpenter.sh/v1alpha5: what may be launched, and how long it lives.
import { COUNTED_CLAIMS_MOST, FAILED_IMAGES_MOST } from '../../model/provisioner.ts';
import { inlineProvider } from './awsSpec.ts';
import { conditions } from './conditions.ts';
import { disruption } from './disruption.ts';
import { kubelet } from './kubelet.ts';
import { annotations, labels, requirements, taints } from './labels.ts';
import { LIMIT_RULES, SPEC_RULES } from './provisionerRules.ts';
import { resourceList } from './quantities.ts';
import { schedule } from './schedule.ts';
import type { NumberSchema, ObjectSchema, Resource } from './schema.ts';
import { durationField } from './timeWindow.ts';

/** Ten years: longer is a slip of the keyboard, and its milliseconds stay exact integers. */
const MAX_TTL_SECONDS = 315_360_000;

const ttl = (description: string): NumberSchema => ({
  type: 'int64',
  description,
  minimum: 0,
  maximum: MAX_TTL_SECONDS,
});

const spec: ObjectSchema = {
  type: 'object',
  description: 'What nodes may be launched, and when they go.',
  rules: SPEC_RULES,
  properties: {
    labels: labels('Put on every node; pods can select them.', 'users'),
    annotations: annotations('Put on every node.'),
    taints: taints('Put on every node; only pods that tolerate them cause launches.'),
    startupTaints: taints(
      'Put on every node at boot and removed by a daemon of yours; pods need not tolerate them to cause a launch.',
    ),
    requirements: requirements(
      'Conditions on instance types, zones, capacity types and labels of your own. Where they are silent: ' +
        'on-demand, linux and amd64, and families c, m and r above generation 2.',
      'users',
    ),
    kubeletConfiguration: kubelet,
    provider: inlineProvider,
    providerRef: {
      type: 'object',
      description: 'The AWSNodeTemplate that says how instances are found and booted.',
      required: ['name'],
      properties: {
        apiVersion: {
          type: 'text',
          description: 'karpenter.k8s.aws/v1alpha1; taken for granted.',
          maxLength: 255,
        },
        kind: { type: 'text', description: 'AWSNodeTemplate.', enum: ['AWSNodeTemplate'], maxLength: 64 },
        name: { type: 'text', description: 'Name of the AWSNodeTemplate.', minLength: 1, maxLength: 253 },
      },
    },
    ttlSecondsAfterEmpty: ttl('Seconds until a node without pods of its own is removed; never when absent.'),
    ttlSecondsUntilExpired: ttl('Age in seconds at which a node is replaced; never when absent.'),
    limits: {
      type: 'object',
      description: 'Most that all nodes of this Provisioner may have together; launches in flight count.',
      properties: {
        resources: {
          ...resourceList('Most of each resource, by name; `nodes` is how many nodes there may be.'),
          rules: LIMIT_RULES,
        },
        usdPerHour: {
          type: 'number',
          description: 'Most that they may cost together, in US dollars an hour.',
          minimum: 0,
          maximum: 1_000_000,
        },
      },
    },
    weight: {
      type: 'int32',
      description: 'Provisioners with a higher weight are tried first; 0 when absent.',
      minimum: 1,
      maximum: 100,
    },
    consolidation: {
      type: 'object',
      description: 'Removal and replacement of nodes that cost more than they need to.',
      properties: { enabled: { type: 'flag', description: 'Whether it is done.' } },
    },
    disruption,
    schedule,
    terminationGracePeriod: durationField(
      'How long after its deletion a node may still be draining: then all that is left on it ends, whatever budgets ' +
        'and annotations forbid. Pods are deleted early enough for their own grace period. No bound when absent. ' +
        'Nodes keep the value with which they were launched.',
    ),
    suspend: {
      type: 'flag',
      description:
        'While true, nothing is launched for this Provisioner, and none of its nodes is taken away for being empty, ' +
        'expired or dear. Launches that are under way and drains go on.',
    },
  },
};

const status: ObjectSchema = {
  type: 'object',
  description: 'What is known of the nodes of this Provisioner.',
  properties: {
    resources: resourceList('What its nodes have together.'),
    conditions,
    launchFailures: {
      type: 'object',
      description: 'Nodes in a row that never came up; absent while all is well.',
      properties: {
        configuration: {
          type: 'text',
          description: 'Generations of the Provisioner and its template that they were launched from.',
          maxLength: 600,
        },
        imageIDs: {
          type: 'list',
          description: 'Images that they booted; once one of them is launched no more, launches go on.',
          items: { type: 'text', description: 'Id of an image.', maxLength: 64 },
          maxItems: FAILED_IMAGES_MOST,
        },
        nodes: { type: 'int64', description: 'How many.', minimum: 0 },
        pauses: { type: 'int64', description: 'How often launches were stopped since.', minimum: 0 },
        pausedAt: {
          type: 'text',
          description: 'When launches were last stopped.',
          format: 'date-time',
          maxLength: 64,
        },
        retryAt: {
          type: 'text',
          description: 'When one node is launched again, to see.',
          format: 'date-time',
          maxLength: 64,
        },
        hint: { type: 'text', description: 'What is known of why.', maxLength: 1024 },
        claims: {
          type: 'list',
          description: 'Uids of NodeClaims that are counted and not yet deleted.',
          items: { type: 'text', description: 'Uid of a NodeClaim.', maxLength: 64 },
          maxItems: COUNTED_CLAIMS_MOST,
        },
      },
    },
    lastScaleTime: {
      type: 'text',
      description: 'When the number of nodes last changed.',
      format: 'date-time',
      maxLength: 64,
    },
  },
};

export const PROVISIONER: Resource = {
  group: 'karpenter.sh',
  version: 'v1alpha5',
  kind: 'Provisioner',
  plural: 'provisioners',
  nameMaxLength: 63,
  shortNames: ['prov'],
  description:
    'A Provisioner says which nodes may be launched for pods that no node can take, and when they go.',
  spec,
  status,
  printerColumns: [
    {
      name: 'Template',
      type: 'string',
      jsonPath: '.spec.providerRef.name',
      priority: 0,
      description: 'AWSNodeTemplate; empty with an inline provider.',
    },
    {
      name: 'Active',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Active")].status',
      priority: 0,
      description: 'Whether nodes are launched.',
    },
    {
      name: 'CPU',
      type: 'string',
      jsonPath: '.status.resources.cpu',
      priority: 0,
      description: 'CPU of its nodes.',
    },
    {
      name: 'CPU limit',
      type: 'string',
      jsonPath: '.spec.limits.resources.cpu',
      priority: 0,
      description: 'Most CPU that its nodes may have.',
    },
    {
      name: 'Weight',
      type: 'integer',
      jsonPath: '.spec.weight',
      priority: 1,
      description: 'Higher is tried first.',
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
