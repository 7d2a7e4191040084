// Terraform, image and chart against the policies of checkov. Exceptions stand where they are made, with their reason.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runCommand } from '../e2e/harness/command.ts';
import { ALL_OPTIONS, renderChart } from './harness/helm.ts';
import { reasonToSkipInstall } from './harness/prerequisites.ts';
import { MODULE } from './harness/terraform.ts';

const ROOT = join(MODULE, '..');

/** Of the rendered chart, which cannot say it itself without telling every cluster. */
const CHART_EXCEPTIONS: Readonly<Record<string, string>> = {
  'CKV_K8S_11 Deployment.karpenter.karpenter':
    'a CPU limit would throttle planning just when many pods wait; values can set one',
  'CKV_K8S_38 Deployment.karpenter.karpenter': 'the controller works through the API server',
  'CKV_K8S_21 Role.default.karpenter-service-cidr': 'the Service that it reads is in this namespace',
  'CKV_K8S_21 RoleBinding.default.karpenter-service-cidr': 'the Service that it reads is in this namespace',
};

interface Finding {
  readonly check_id: string;
  readonly resource: string;
}

interface Report {
  readonly results: { readonly failed_checks: readonly Finding[] };
  readonly summary: { readonly passed: number; readonly skipped: number; readonly parsing_errors: number };
}

describe('checkov', { skip: await reasonToSkipInstall([]) }, () => {
  let program: string;
  let scratch: string;

  before(
    async () => {
      const script = join(import.meta.dirname, 'checkov', 'checkov.sh');
      program = (await runCommand('bash', [script], { showProgress: true })).trim();
      scratch = mkdtempSync(join(tmpdir(), 'cooper-checkov-'));
    },
    { timeout: 20 * 60_000 },
  );
  after(() => rmSync(scratch, { recursive: true, force: true }));

  /** What it says of a file or folder; anything that it could not read is an error. */
  async function report(framework: string, ...what: readonly string[]): Promise<Report> {
    const quiet = ['--skip-download', '--soft-fail', '--compact', '--output', 'json'];
    const said = JSON.parse(
      await runCommand(program, [...what, '--framework', framework, ...quiet]),
    ) as Report;
    assert.equal(said.summary.parsing_errors, 0);
    return said;
  }

  function failures({ results }: Report): readonly string[] {
    return results.failed_checks.map(({ check_id, resource }) => `${check_id} ${resource}`).sort();
  }

  test('the Terraform module and its example break no policy', async () => {
    const said = await report('terraform', '--directory', MODULE);
    assert.deepEqual(failures(said), []);
    assert.ok(said.summary.passed >= 90, `${said.summary.passed} checks`);
    assert.equal(said.summary.skipped, 3);
  });

  test('the Dockerfile breaks no policy', async () => {
    const said = await report('dockerfile', '--file', join(ROOT, 'Dockerfile'));
    assert.deepEqual(failures(said), []);
    assert.ok(said.summary.passed >= 60, `${said.summary.passed} checks`);
    assert.equal(said.summary.skipped, 2);
  });

  test('the chart with all its options breaks those policies that it says, and no others', async () => {
    const digest = `controller.image.digest=sha256:${'0'.repeat(64)}`;
    const { text } = await renderChart(['--set', 'clusterName=chris', '--set', digest, ...ALL_OPTIONS]);
    const file = join(scratch, 'chart.yaml');
    writeFileSync(file, text);
    const said = await report('kubernetes', '--file', file);
    assert.deepEqual(failures(said), Object.keys(CHART_EXCEPTIONS).sort());
    assert.ok(said.summary.passed >= 100, `${said.summary.passed} checks`);
  });
});
