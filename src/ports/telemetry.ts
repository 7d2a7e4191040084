// Logs and metrics, as the shell sees them.

export type LogFields = Readonly<Record<string, unknown>>;

/** Messages are constant; facts go into fields. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export type MetricLabels = Readonly<Record<string, string>>;

/** Metric names are registered in `telemetry/metrics.ts`; an unknown one is a bug and throws. */
export interface Metrics {
  count(name: string, labels: MetricLabels, amount?: number): void;
  gauge(name: string, labels: MetricLabels, value: number): void;
  /** The series' object is gone, and it is shown no more. Absent: gauges are kept. */
  forgetGauge?(name: string, labels: MetricLabels): void;
  /** Seconds for durations. */
  observe(name: string, labels: MetricLabels, value: number): void;
}

export interface Telemetry {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Keeps something large for people to look at later; returns where it is. Best effort: never throws. */
  dump(name: string, content: unknown): string;
}
