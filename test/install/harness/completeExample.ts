// The example of a whole cluster, cut down to what the stand-in for AWS knows and what needs no registry.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MODULE } from './terraform.ts';

export const EXAMPLE = join(MODULE, 'examples', 'complete');
const STAND_INS = join(import.meta.dirname, '..', 'terraformStandIns');

interface Change {
  readonly from: string | RegExp;
  readonly to: string;
}

/** Each must have something to change, or the example is no longer what this was written for. */
const CHANGES: readonly Change[] = [
  { from: /source {2}= "terraform-aws-modules\/vpc\/aws"\n *version = ".*"/, to: 'source = "./vpc"' },
  { from: /source {2}= "terraform-aws-modules\/eks\/aws"\n *version = ".*"/, to: 'source = "./eks"' },
  { from: 'source = "../.."', to: `source = ${JSON.stringify(MODULE)}` },
  // The stand-in knows neither of the two.
  {
    from: /create_pod_identity_association = true/,
    to: 'create_pod_identity_association = false\n  create_access_entry = false',
  },
  {
    from: /provider "aws" \{\n/,
    to: 'provider "aws" {\n  skip_metadata_api_check = true\n  skip_credentials_validation = true\n',
  },
  // Helm's provider is left out: what Cooper's release is given becomes an output.
  {
    from: /^resource "helm_release" "karpenter" [\s\S]*?values = \[(yamlencode\([\s\S]*?\n {2}\}\))\][\s\S]*?\n\}\n/m,
    to: 'output "chart_values" {\n  value = $1\n}\n',
  },
  { from: /^provider "helm" \{\n[\s\S]*?\n\}\n/m, to: '' },
];
const OTHER_RELEASES = /^resource "helm_release" "\w+" \{\n[\s\S]*?\n\}\n/gm;

/** Writes it under `scratch` and gives its folder. */
export function exampleOnStandIns(scratch: string): string {
  const folder = join(scratch, 'complete');
  mkdirSync(folder);
  let text = readFileSync(join(EXAMPLE, 'main.tf'), 'utf8');
  for (const { from, to } of CHANGES) {
    const changed = text.replace(from, to);
    if (changed === text) throw new Error(`nothing to change in ${EXAMPLE}/main.tf: ${from}`);
    text = changed;
  }
  writeFileSync(join(folder, 'main.tf'), text.replaceAll(OTHER_RELEASES, ''));
  for (const file of ['variables.tf', 'outputs.tf']) cpSync(join(EXAMPLE, file), join(folder, file));
  for (const module of ['vpc', 'eks'])
    cpSync(join(STAND_INS, module), join(folder, module), { recursive: true });
  return folder;
}
