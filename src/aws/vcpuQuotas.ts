// Which instance types share a vCPU quota of the account: a refusal for one of them is about all that are as large.

/**
 * Families by the letters their names begin with; what is not listed is Standard (A, C, D, H, I, M, R, T, Z).
 * Source: Amazon EC2 User Guide, "Amazon EC2 service quotas": On-Demand and Spot Instance quotas by vCPU.
 */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^(g|vt)\d/, 'G and VT'],
  [/^p\d/, 'P'],
  [/^f\d/, 'F'],
  [/^x\d/, 'X'],
  [/^inf\d/, 'Inf'],
  [/^trn\d/, 'Trn'],
  [/^dl\d/, 'DL'],
  [/^hpc\d/, 'HPC'],
  [/^u(\d+\w*)?-/, 'High Memory'],
];

/** The quota that a type counts against, as AWS names it. */
export function vcpuQuota(instanceType: string): string {
  return FAMILIES.find(([pattern]) => pattern.test(instanceType))?.[1] ?? 'Standard';
}
