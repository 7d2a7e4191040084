// Terraform with the real AWS provider, built from its Go module, against the stand-in for AWS.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runCommand } from '../../e2e/harness/command.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
export const MODULE = join(ROOT, 'terraform');

export interface Terraform {
  /** Runs `terraform ARGS` in `folder`; gives its standard output, throws with its standard error. */
  run(folder: string, ...args: readonly string[]): Promise<string>;
}

/** Builds the provider unless it is in the cache. `scratch` takes what Terraform writes beside states. */
export async function prepareTerraform(scratch: string, endpoint: string): Promise<Terraform> {
  const script = join(import.meta.dirname, '..', 'terraformProvider', 'build.sh');
  const provider = (await runCommand('bash', [script], { showProgress: true })).trim();
  const config = join(scratch, 'terraform.rc');
  const overrides = `dev_overrides { "hashicorp/aws" = ${JSON.stringify(dirname(provider))} }`;
  writeFileSync(config, `provider_installation {\n  ${overrides}\n  direct {}\n}\n`);
  const env = {
    TF_CLI_CONFIG_FILE: config,
    TF_DATA_DIR: join(scratch, 'terraform-data'),
    TF_IN_AUTOMATION: '1',
    CHECKPOINT_DISABLE: '1',
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  return {
    run: (folder, ...args) => {
      const [command = '', ...rest] = args;
      return runCommand('terraform', [`-chdir=${folder}`, command, ...rest], { env });
    },
  };
}

/** Writes a root module that calls ours with these arguments (HCL), and gives its folder. */
export function rootModule(scratch: string, region: string, moduleArguments: string): string {
  const folder = join(scratch, 'root-module');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'main.tf'),
    `provider "aws" {
  region                      = "${region}"
  skip_metadata_api_check     = true
  skip_credentials_validation = true
}
module "cooper" {
  source = ${JSON.stringify(MODULE)}
${moduleArguments}
}
output "cooper" {
  value = module.cooper
}
`,
  );
  return folder;
}
