// What pods are told of the plan: where they will run, or why not.
import type { PlannedNodeClaim, Refusal } from '../model/plan.ts';
import type { Ports } from '../ports/ports.ts';
import type { LiveState } from './liveState.ts';
import type { ProvisioningMemory } from './provisioningMemory.ts';

/** Tells each pod of a planned node, once, which claim it waits for. */
export function tellNominated(
  ports: Ports,
  live: LiveState,
  memory: ProvisioningMemory,
  { planned, name }: { readonly planned: PlannedNodeClaim; readonly name: string },
): void {
  const price = `${planned.usdPerHour.toFixed(4)} USD/h`;
  const where = `${planned.instanceType} in ${planned.zone}, ${planned.capacityType}, ${price}`;
  for (const pod of planned.pods) {
    tellPod(ports, live, memory, {
      pod,
      type: 'Normal',
      reason: 'Nominated',
      message: `Pod should schedule on nodeclaim/${name} (${where} or like it)`,
    });
  }
}

/** Tells each pod that a claim was meant for what the cloud said when it was not launched: what is waited for. */
export function tellLaunchRefused(
  ports: Ports,
  live: LiveState,
  memory: ProvisioningMemory,
  { claim, message }: { readonly claim: string; readonly message: string },
): void {
  for (const pod of memory.nominations.podsOf(claim)) {
    tellPod(ports, live, memory, { pod, type: 'Warning', reason: 'FailedProvisioning', message });
  }
}

/** So many refusals are told in one turn: logging and publishing 10,000 takes longer than a probe may wait. */
const TOLD_A_TURN = 100;

/** Tells each refused pod why, once for each reason. */
export async function tellRefused(
  ports: Ports,
  live: LiveState,
  memory: ProvisioningMemory,
  refusals: readonly Refusal[],
): Promise<void> {
  let toldInTurn = 0;
  for (const refusal of refusals) {
    const message = refusal.nearest === '' ? refusal.reason : `${refusal.reason}; ${refusal.nearest}`;
    const told = tellPod(ports, live, memory, {
      pod: refusal.pod,
      type: 'Warning',
      reason: 'FailedProvisioning',
      message: `${refusal.code}: ${message}`,
    });
    if (!told) continue;
    toldInTurn += 1;
    if (toldInTurn % TOLD_A_TURN === 0) await ports.clock.sleep(0);
    const { pod, code, provisioner } = refusal;
    ports.telemetry.log.warn({ pod, code, provisioner, reason: message }, 'pod refused');
    const facts = { code, provisioner };
    ports.journal.append({
      atMs: ports.clock.nowMs(),
      kind: 'Refused',
      subject: pod,
      reason: message,
      facts,
    });
  }
}

interface PodEvent {
  readonly pod: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Returns false when the pod is gone, runs still (its node is leaving), or has been told the same before. */
function tellPod(ports: Ports, live: LiveState, memory: ProvisioningMemory, event: PodEvent): boolean {
  const pod = live.get('pod', event.pod);
  if (pod === undefined || pod.nodeName !== '' || memory.told.get(event.pod) === event.message) return false;
  memory.told.set(event.pod, event.message);
  const about = { kind: 'Pod' as const, namespace: pod.namespace, name: pod.name, uid: pod.uid };
  void ports.kube.publishEvent({ about, type: event.type, reason: event.reason, message: event.message });
  return true;
}
