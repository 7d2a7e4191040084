// Every custom resource that Cooper defines.
import { AWS_NODE_TEMPLATE } from './awsNodeTemplate.ts';
import { NODE_CLAIM } from './nodeClaim.ts';
import { PROVISIONER } from './provisioner.ts';
import type { Resource } from './schema.ts';

export const RESOURCES: readonly Resource[] = [AWS_NODE_TEMPLATE, NODE_CLAIM, PROVISIONER];
