// The whole outside world of the controllers, in one record.
import type { Clock } from './clock.ts';
import type { CloudProvider } from './cloudProvider.ts';
import type { InterruptionSource } from './interruptions.ts';
import type { Journal } from './journal.ts';
import type { KubeApi } from './kubeApi.ts';
import type { Planner } from './planner.ts';
import type { Telemetry } from './telemetry.ts';

export interface Ports {
  readonly clock: Clock;
  readonly cloud: CloudProvider;
  /** Absent: nobody tells of interruptions, and only the sweep over instances finds them. */
  readonly interruptions?: InterruptionSource;
  readonly kube: KubeApi;
  readonly planner: Planner;
  readonly journal: Journal;
  readonly telemetry: Telemetry;
}
