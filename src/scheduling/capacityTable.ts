// What pods may take of each instance type once daemons run, and the cheapest offer that holds an amount.
import type { Resources } from '../model/resources.ts';
import type { DaemonSet } from '../model/workloads.ts';
import { bitIds } from './bits.ts';
import type { CompiledProvisioner, Offer } from './compiledProvisioner.ts';
import { type DaemonOverhead, daemonOverhead } from './daemons.ts';
import { missedFloor, type ValueFloor, valueFloors } from './minValues.ts';
import { CPU, type ResourceAxis, toVector, type Vector } from './resourceAxis.ts';
import type { Scope, ScopeTable } from './scopes.ts';
import { isAttachment } from './volumes.ts';

/** New nodes take any number of volumes as far as is known before they are there. */
const UNLIMITED = 1e9;

export interface ProvisionerCapacity {
  readonly compiled: CompiledProvisioner;
  readonly daemons: DaemonOverhead;
  /** By type: allocatable less daemons; below zero where the daemons alone do not fit. */
  readonly room: readonly Vector[];
  /** By type: CPU that pods may use before unlimited mode costs more, Infinity for most types. */
  readonly freeMillis: Float64Array;
  readonly usdPerMilli: Float64Array;
  readonly floors: readonly ValueFloor[];
}

export interface CheapestOffer {
  readonly offer: number;
  readonly usdPerHour: number;
}

/** All Provisioners of one planning pass with their types' room, and what fits where at which price. */
export class CapacityTable {
  readonly axis: ResourceAxis;
  readonly provisioners: readonly ProvisionerCapacity[];
  readonly #scopes: ScopeTable;
  /** By scope: the cheapest offer of each type, cheapest first. */
  readonly #fronts = new Map<number, Int32Array>();

  constructor(
    compiled: readonly CompiledProvisioner[],
    daemonSets: readonly DaemonSet[],
    { axis, scopes }: { readonly axis: ResourceAxis; readonly scopes: ScopeTable },
  ) {
    this.axis = axis;
    this.#scopes = scopes;
    this.provisioners = compiled.map((one) => withRoom(one, daemonSets, axis));
  }

  /** True when limits may leave a node fewer types than `minValues` asks for. */
  get hasLimitedFloors(): boolean {
    return this.provisioners.some(
      ({ compiled, floors }) => floors.length > 0 && compiled.provisioner.limits !== null,
    );
  }

  provisioner(index: number): ProvisionerCapacity {
    const one = this.provisioners[index];
    if (one === undefined) throw new Error(`no provisioner ${index}`);
    return one;
  }

  offer(provisioner: number, offer: number): Offer {
    const one = this.provisioner(provisioner).compiled.offers[offer];
    if (one === undefined) throw new Error(`no offer ${offer}`);
    return one;
  }

  /** Room of the offer's type. */
  room(provisioner: number, offer: number): Vector {
    const capacity = this.provisioner(provisioner);
    const room = capacity.room[capacity.compiled.offers[offer]?.type ?? -1];
    if (room === undefined) throw new Error(`no offer ${offer}`);
    return room;
  }

  /** Price of an offer that holds pods of this size: burstable types cost more for CPU above their baseline. */
  price(provisioner: number, offer: number, used: Vector): number {
    const { compiled, freeMillis, usdPerMilli } = this.provisioner(provisioner);
    const { type, usdPerHour } = compiled.offers[offer] as Offer;
    const above = (used[CPU] ?? 0) - (freeMillis[type] ?? 0);
    return above > 0 ? usdPerHour + above * (usdPerMilli[type] ?? 0) : usdPerHour;
  }

  /** The cheapest offer of each type in the scope, cheapest first; all offers where `minValues` is set. */
  front(scope: number): Int32Array {
    const held = this.#fronts.get(scope);
    if (held !== undefined) return held;
    const { provisioner, offers } = this.#scopes.at(scope);
    const { compiled, floors } = this.provisioner(provisioner);
    const seen = new Set<number>();
    const front = bitIds(offers).filter((id) => {
      const type = compiled.offers[id]?.type ?? -1;
      // Whether enough types are left differs from zone to zone.
      return floors.length > 0 || (!seen.has(type) && seen.add(type));
    });
    const compact = Int32Array.from(front);
    this.#fronts.set(scope, compact);
    return compact;
  }

  /**
   * The cheapest offer in the scope that holds pods of this size beside enough others for `minValues`, within what
   * `allowed` lets through.
   */
  cheapest(scope: number, used: Vector, allowed?: (offer: number) => boolean): CheapestOffer | null {
    const { floors } = this.provisioner(this.#scopes.at(scope).provisioner);
    if (floors.length === 0) return this.cheapestOfAny(scope, used, allowed);
    return this.cheapestOfAny(
      scope,
      used,
      (offer) => (allowed === undefined || allowed(offer)) && this.isFlexible(scope, used, offer),
    );
  }

  /** The same, `minValues` aside. */
  cheapestOfAny(scope: number, used: Vector, allowed?: (offer: number) => boolean): CheapestOffer | null {
    const provisioner = this.#scopes.at(scope).provisioner;
    const { compiled, room } = this.provisioner(provisioner);
    let best = -1;
    let bestPrice = Number.POSITIVE_INFINITY;
    for (const offer of this.front(scope)) {
      const { type, usdPerHour } = compiled.offers[offer] as Offer;
      if (usdPerHour >= bestPrice) break;
      if (!holds(room[type] as Vector, used)) continue;
      if (allowed !== undefined && !allowed(offer)) continue;
      const price = this.price(provisioner, offer, used);
      if (price < bestPrice) {
        best = offer;
        bestPrice = price;
      }
    }
    return best < 0 ? null : { offer: best, usdPerHour: bestPrice };
  }

  /** True when enough types of the scope hold pods of this size, in the zone and capacity type of the offer. */
  isFlexible(scope: number, used: Vector, offer: number): boolean {
    return this.missedFloor(scope, used, offer) === null;
  }

  /** The first of the Provisioner's `minValues` that those types do not reach; null when they reach all. */
  missedFloor(scope: number, used: Vector, offer: number): ValueFloor | null {
    const { provisioner, offers } = this.#scopes.at(scope);
    const { compiled, floors, room } = this.provisioner(provisioner);
    if (floors.length === 0) return null;
    const { zone, capacityType } = compiled.offers[offer] as Offer;
    const types = bitIds(offers).flatMap((id) => {
      const other = compiled.offers[id] as Offer;
      const same = other.zone === zone && other.capacityType === capacityType;
      return same && holds(room[other.type] as Vector, used) ? [other.type] : [];
    });
    return missedFloor(compiled, floors, types);
  }

  scope(id: number): Scope {
    return this.#scopes.at(id);
  }
}

function holds(room: Vector, used: Vector): boolean {
  for (let place = 0; place < used.length; place++) {
    if ((used[place] as number) > (room[place] as number)) return false;
  }
  return true;
}

function withRoom(
  compiled: CompiledProvisioner,
  daemonSets: readonly DaemonSet[],
  axis: ResourceAxis,
): ProvisionerCapacity {
  const daemons = daemonOverhead(compiled, daemonSets, axis);
  const freeMillis = new Float64Array(compiled.types.length).fill(Number.POSITIVE_INFINITY);
  const usdPerMilli = new Float64Array(compiled.types.length);
  const room = compiled.types.map((type, index) => {
    const taken = daemons.byType[index];
    if (type.burst !== undefined) {
      freeMillis[index] = type.burst.baselineMillis - (taken?.[CPU] ?? 0);
      usdPerMilli[index] = type.burst.usdPerVcpuHour / 1000;
    }
    return roomOf(axis, type.allocatable, taken);
  });
  return { compiled, daemons, room, freeMillis, usdPerMilli, floors: valueFloors(compiled) };
}

function roomOf(axis: ResourceAxis, allocatable: Resources, taken: Vector | undefined): Vector {
  const room = toVector(axis, allocatable);
  for (const [place, name] of axis.names.entries()) {
    if (isAttachment(name)) room[place] = UNLIMITED;
    else room[place] = (room[place] ?? 0) - (taken?.[place] ?? 0);
  }
  return room;
}
