// Burstable families: how much CPU their price includes, and what more of it costs.
import type { InstanceType } from '../model/instanceType.ts';

/**
 * Baseline of one vCPU in percent, by size; the same for t3, t3a and t4g.
 * Source: Amazon EC2 User Guide, "Key concepts for burstable performance instances".
 */
const BASELINE_PERCENT: Readonly<Record<string, number>> = {
  nano: 5,
  micro: 10,
  small: 20,
  medium: 20,
  large: 30,
  xlarge: 40,
  '2xlarge': 40,
};

/** t2 differs in its largest sizes: 54 and 81.6 credits an hour over 4 and 8 vCPUs. Same source. */
const T2_BASELINE_PERCENT: Readonly<Record<string, number>> = {
  ...BASELINE_PERCENT,
  xlarge: 22.5,
  '2xlarge': 17,
};

/** Unlimited mode, Linux, per vCPU-hour above the baseline. Source: Amazon EC2 On-Demand Pricing, "Unlimited mode". */
const USD_PER_VCPU_HOUR: Readonly<Record<string, number>> = { t2: 0.05, t3: 0.05, t3a: 0.05, t4g: 0.04 };

/**
 * CPU included in the price and the price of more; undefined for types that do not burst.
 * t2 launches in standard mode by default, where CPU above the baseline is not billed but withheld: priced alike,
 * so that nobody plans on it for free.
 */
export function burstOf(instanceType: string, vcpus: number): InstanceType['burst'] {
  const [family = '', size = ''] = instanceType.split('.');
  const usdPerVcpuHour = USD_PER_VCPU_HOUR[family];
  const percent = (family === 't2' ? T2_BASELINE_PERCENT : BASELINE_PERCENT)[size];
  if (usdPerVcpuHour === undefined || percent === undefined) return undefined;
  return { baselineMillis: Math.round(vcpus * percent * 10), usdPerVcpuHour };
}
