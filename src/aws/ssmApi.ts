// The one SSM call that is made: reading a public parameter.

export interface SsmApi {
  /** The parameter's value, null when there is no such parameter. Throws `AwsFault` when SSM cannot be asked. */
  parameter(name: string): Promise<string | null>;
}
