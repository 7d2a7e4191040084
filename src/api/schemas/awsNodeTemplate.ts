// The AWSNodeTemplate resource, karpenter.k8s.aws/v1alpha1: how instances are found, booted and tagged.
import { templateSpec } from './awsSpec.ts';
import { conditions } from './conditions.ts';
import { requirements } from './labels.ts';
import type { ListSchema, ObjectSchema, Resource, Schema, TextSchema } from './schema.ts';

const id = (description: string): TextSchema => ({ type: 'text', description, maxLength: 255 });

const found = (description: string, properties: Readonly<Record<string, Schema>>): ListSchema => ({
  type: 'list',
  description,
  maxItems: 500,
  items: { type: 'object', description: 'One of them.', required: ['id'], properties },
});

const status: ObjectSchema = {
  type: 'object',
  description: 'What the selectors found.',
  properties: {
    subnets: found('Subnets to launch into.', {
      id: id('Id of the subnet.'),
      zone: id('Its availability zone.'),
    }),
    securityGroups: found('Security groups of the nodes.', {
      id: id('Id of the group.'),
      name: id('Its name.'),
    }),
    amis: found('Images to boot.', {
      id: id('Id of the image.'),
      name: id('Its name.'),
      requirements: requirements('What instance types must fulfil to boot it.', 'controller'),
    }),
    conditions,
  },
};

export const AWS_NODE_TEMPLATE: Resource = {
  group: 'karpenter.k8s.aws',
  version: 'v1alpha1',
  kind: 'AWSNodeTemplate',
  plural: 'awsnodetemplates',
  nameMaxLength: 253,
  shortNames: ['awsnt'],
  description: 'An AWSNodeTemplate says how the instances of Provisioners are found, booted and tagged.',
  spec: templateSpec,
  status,
  printerColumns: [
    {
      name: 'Family',
      type: 'string',
      jsonPath: '.spec.amiFamily',
      priority: 0,
      description: 'Image family; the default when empty.',
    },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      priority: 0,
      description: 'Whether all that it names was found.',
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
