// The labels of a node by its instance type, as requirements: what pods and Provisioners can ask for.
import { LABEL } from '../model/labels.ts';
import type { Requirement } from '../model/requirement.ts';
import type { InstanceTypeFacts } from './instanceTypeFacts.ts';

export interface TypeName {
  readonly category: string;
  readonly family: string;
  readonly generation: string;
  readonly size: string;
}

/**
 * The parts of a name: `c6gn.2xlarge` is category `c`, family `c6gn`, generation 6, size `2xlarge`;
 * `u-6tb1.metal` is category `u`, generation 1. Source: EC2, "Instance type naming conventions".
 */
export function typeName(name: string): TypeName {
  const dot = name.indexOf('.');
  const family = name.slice(0, dot);
  const match = /^([a-z]+)(?:-\d+tb)?(\d+)/.exec(family);
  return { category: match?.[1] ?? '', family, generation: match?.[2] ?? '', size: name.slice(dot + 1) };
}

export interface LabelInput {
  readonly facts: InstanceTypeFacts;
  readonly region: string;
  readonly os: 'linux' | 'windows';
  readonly pods: number;
}

/** One requirement per well-known label: `In` one value, or `DoesNotExist` where a type has no such thing. */
export function typeRequirements({ facts, region, os, pods }: LabelInput): readonly Requirement[] {
  const { category, family, generation, size } = typeName(facts.name);
  const gpu = facts.gpu;
  const values: readonly (readonly [string, string | null])[] = [
    [LABEL.instanceType, facts.name],
    [LABEL.arch, facts.arch],
    [LABEL.os, os],
    [LABEL.region, region],
    [LABEL.instanceHypervisor, facts.hypervisor === '' ? null : facts.hypervisor],
    [LABEL.instanceCategory, category],
    [LABEL.instanceFamily, family],
    [LABEL.instanceGeneration, generation],
    [LABEL.instanceSize, size],
    [LABEL.instanceLocalNvme, facts.nvmeGb === 0 ? null : String(facts.nvmeGb)],
    [LABEL.instanceCpu, String(facts.vcpus)],
    [LABEL.instanceMemory, String(facts.memoryMib)],
    [LABEL.instancePods, String(pods)],
    [LABEL.instanceGpuName, gpu === null ? null : labelText(gpu.name)],
    [LABEL.instanceGpuManufacturer, gpu === null ? null : labelText(gpu.manufacturer)],
    [LABEL.instanceGpuCount, gpu === null ? null : String(gpu.count)],
    [LABEL.instanceGpuMemory, gpu === null ? null : String(gpu.memoryMib)],
  ];
  return values.map(([key, value]) => requirement(key, value));
}

function requirement(key: string, value: string | null): Requirement {
  return value === null
    ? { key, operator: 'DoesNotExist', values: [] }
    : { key, operator: 'In', values: [value] };
}

function labelText(text: string): string {
  return text.toLowerCase().replaceAll(' ', '-');
}
