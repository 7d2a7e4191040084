// `cooper explain` against a real API server, with a controller at work: it says what the controller has decided.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { reasonToSkip } from './harness/prerequisites.ts';
import { addFullStaticNode, deployment, eventsAbout, provisioner, startStory } from './harness/story.ts';
import type { World } from './harness/world.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const CONSOLIDATING = {
  disruption: {
    consolidationPolicy: 'WhenEmptyOrUnderutilized',
    minimumNodeAge: '1s',
    budgets: [{ nodes: '100%' }],
  },
};

interface Answer {
  readonly code: number;
  readonly text: string;
  readonly errors: string;
}

describe('cooper explain', { skip: await reasonToSkip() }, () => {
  let world: World;

  before(async () => {
    world = await startStory({ namespaces: ['web'] });
    world.controller.start();
    await addFullStaticNode(world);
    await world.apply(provisioner({ ...CONSOLIDATING, ttlSecondsAfterEmpty: undefined }));
  });
  after(() => world.stop());

  /** As a person runs it: a kubeconfig, and no AWS at all. */
  function explain(...args: readonly string[]): Promise<Answer> {
    const env = { PATH: process.env.PATH, KUBECONFIG: world.controlPlane.kubeconfigPath };
    return new Promise((resolve) => {
      execFile(process.execPath, [MAIN, 'explain', ...args], { env }, (failure, text, errors) => {
        resolve({ code: Number(failure?.code ?? 0), text, errors });
      });
    });
  }

  async function ownNode(): Promise<string> {
    const { metadata } = await world.until(
      async () =>
        (await world.nodes()).find((node) => node.metadata.labels?.['karpenter.sh/initialized'] === 'true'),
      { what: 'a node of ours that is up', timeoutMs: 60_000 },
    );
    return metadata.name;
  }

  test('a pod that no type holds: the constraint, the nearest fit, and the event that says the same', async () => {
    await world.kube.create('/api/v1/namespaces/web/pods', {
      metadata: { name: 'huge', namespace: 'web' },
      spec: {
        containers: [{ name: 'main', image: 'app', resources: { requests: { memory: '90Ti' } } }],
      },
    });
    await world.until(
      async () => (await eventsAbout(world, 'Pod')).find((event) => event.includes('InsufficientResources')),
      { what: 'the refusal', timeoutMs: 30_000 },
    );
    const { code, text, errors } = await explain('pod', 'web/huge');
    assert.equal(code, 0, errors);
    assert.match(text, /the kube-scheduler finds no node for it/);
    assert.match(text, /default: InsufficientResources: needs 90Ti of memory; the largest type/);
    assert.match(text, /Told so far[\s\S]*FailedProvisioning[\s\S]*\[cooper\]/);
    await world.kubectl(['-n', 'web', 'delete', 'pod', 'huge', '--wait=false']);
  });

  test('a node kept by a PodDisruptionBudget: the pod, the budget, its health; events say the same', async () => {
    await world.apply(
      JSON.stringify({
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'app', namespace: 'web' },
        spec: { selector: { matchLabels: { app: 'app' } }, maxUnavailable: 0 },
      }),
    );
    await world.apply(
      deployment({ name: 'app', namespace: 'web', replicas: 2, cpu: '400m', memory: '128Mi' }),
    );
    await world.untilRunning('web', 2, 60_000);
    const node = await ownNode();
    const told = await world.until(
      async () => (await eventsAbout(world, 'Node')).find((event) => event.startsWith('Unconsolidatable')),
      { what: 'the event on the Node', timeoutMs: 60_000 },
    );
    assert.match(told, /PodDisruptionBudget web\/app lets pod web\/app-.* not go now \(0 left\)/);
    const { code, text, errors } = await explain('node', node);
    assert.equal(code, 0, errors);
    assert.match(
      text,
      /Underutilized +blocked +PodDisruptionBudget web\/app lets pod web\/app-\S+ not go now/,
    );
    assert.match(text, /How it came up\n +decided .*\n +launched .*\n +joined .*\n +registered .*\n +ready /);
    assert.match(text, /Unconsolidatable {2}not consolidated: PodDisruptionBudget web\/app/);
    const [pod] = await world.pods('web');
    const ofPod = await explain('pod', '-n', 'web', pod?.metadata.name ?? '');
    assert.match(ofPod.text, /PodDisruptionBudget web\/app: 0 may go now, 2 healthy of 2 that there must be/);
  });

  test('a node that opts out, and a drain that a pod holds up', async () => {
    const node = await ownNode();
    await world.kubectl(['annotate', 'node', node, 'karpenter.sh/do-not-disrupt=true']);
    const kept = await explain('node', node);
    assert.match(kept.text, /Underutilized +blocked +the node forbids it by karpenter.sh\/do-not-disrupt/);
    const { text } = await explain('node', node, '-o', 'json');
    const { nodeClaim } = JSON.parse(text) as { readonly nodeClaim: string };
    await world.kubectl(['delete', 'nodeclaim', nodeClaim, '--wait=false']);
    const leaving = await world.until(
      async () => {
        const answer = await explain('nodeclaim', nodeClaim);
        return answer.text.includes('Leaving for') ? answer.text : null;
      },
      { what: 'the drain to be under way', timeoutMs: 30_000 },
    );
    assert.match(leaving, /web\/app-\S+ +kept +PodDisruptionBudget web\/app lets pod/);
    await world.kubectl(['-n', 'web', 'delete', 'poddisruptionbudget', 'app']);
    await world.until(async () => !(await world.nodes()).some(({ metadata }) => metadata.name === node), {
      what: 'the node to go once nothing keeps its pods',
      timeoutMs: 60_000,
    });
  });

  test('a name that is not there: one error, with what is near; a cluster that is not there: another', async () => {
    const missing = await explain('node', 'statik');
    assert.equal(missing.code, 1);
    assert.match(missing.errors, /^cooper explain: there is no node statik; near to it: static\n$/);
    const dead = await explain('node', 'static', '--kubeconfig', join(world.dir, 'none.kubeconfig'));
    assert.equal(dead.code, 1);
    assert.match(dead.errors, /kubeconfig .*none\.kubeconfig.* cannot be read/);
  });
});
