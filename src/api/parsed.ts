// The answer of every parser: a value of the model, or what is wrong with the manifest and how to mend it.

/** One thing wrong with a manifest. */
export interface Problem {
  /** Where: `spec.requirements[0].operator`; map keys that are no plain words stand as `spec.labels['a/b']`. */
  readonly field: string;
  /** What is wrong there, as the rest of a sentence that starts with the field: `is missing`. */
  readonly problem: string;
  /** What to write instead, as an instruction: `name an AWSNodeTemplate`. */
  readonly mend: string;
}

export type Parsed<T> =
  | { readonly kind: 'valid'; readonly value: T }
  /** `name` is the object's name as far as it could be read, '' otherwise. */
  | { readonly kind: 'invalid'; readonly name: string; readonly problems: readonly Problem[] };

/** One sentence with field, fault and mend: `spec.provider is missing; set it or spec.providerRef`. */
export function describeProblem({ field, problem, mend }: Problem): string {
  return `${field} ${problem}; ${mend}`;
}

/** One sentence that names the object too: `Provisioner "default": spec.weight is 0; write 1 to 100`. */
export function describeObjectProblem(kind: string, name: string, problem: Problem): string {
  return `${kind} ${JSON.stringify(name)}: ${describeProblem(problem)}`;
}
