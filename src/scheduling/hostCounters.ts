// Per-node counters: anti-affinity, spread over host names and host ports are all "at most so many on one node".
import type { HostPort, Pod, PodSpec } from '../model/pod.ts';
import { addressesClash, portAddress, portKey } from './hostPorts.ts';
import type { CounterCap, CounterCount } from './lots.ts';
import type { PodClass } from './podClasses.ts';
import type { SelectorTable } from './selectors.ts';
import type { Target } from './targets.ts';
import { type ClassRules, isHostname, podTerms } from './topology.ts';

/** What one pod of a class does to the counters of its node. */
export interface HostRules {
  /** Equal for equal rules. */
  readonly key: string;
  readonly adds: readonly CounterCount[];
  readonly caps: readonly CounterCap[];
}

/** Counters preset by the pods that run on a target. */
export interface HostPreset {
  readonly counter: number;
  readonly count: number;
  readonly cap: number;
}

const NO_CAP = 0x7fffffff;

export interface PodsInPlay {
  readonly pending: readonly PodClass[];
  readonly running: readonly Pod[];
  readonly daemons: readonly PodSpec[];
}

/** The counters of one pass: one for each selector that a host-name rule uses, one for each host port. */
export class HostCounters {
  readonly #selectors: SelectorTable;
  readonly #ofSelector = new Map<number, number>();
  readonly #ofPort = new Map<string, number>();
  /** Addresses in use by `protocol/port`. */
  readonly #addresses = new Map<string, Set<string>>();
  #size = 0;

  constructor(
    selectors: SelectorTable,
    rules: readonly ClassRules[],
    { pending, running, daemons }: PodsInPlay,
  ) {
    this.#selectors = selectors;
    for (const { spread, antiAffinity } of rules) {
      for (const { selector, key } of [...spread, ...antiAffinity])
        if (isHostname(key)) this.#addSelector(selector);
    }
    for (const pod of running)
      for (const { selector } of this.#hostAntiTerms(pod)) this.#addSelector(selector);
    const asked = pending.flatMap((one) => one.spec.hostPorts);
    for (const port of asked) this.#addPort(port);
    const ports = new Set(asked.map(portKey));
    const used = [...running.map((pod) => pod.spec), ...daemons].flatMap((spec) => spec.hostPorts);
    for (const port of used) if (ports.has(portKey(port))) this.#addPort(port);
  }

  get size(): number {
    return this.#size;
  }

  #addSelector(selector: number): void {
    if (selector >= 0 && !this.#ofSelector.has(selector)) this.#ofSelector.set(selector, this.#size++);
  }

  #addPort(port: HostPort): void {
    const key = portKey(port);
    const address = portAddress(port);
    if (this.#ofPort.has(`${key}/${address}`)) return;
    this.#ofPort.set(`${key}/${address}`, this.#size++);
    this.#addresses.set(key, (this.#addresses.get(key) ?? new Set<string>()).add(address));
  }

  #hostAntiTerms({ spec, namespace }: Pod) {
    if (spec.podAntiAffinity.length === 0) return [];
    return podTerms(spec.podAntiAffinity, namespace, this.#selectors).filter(({ key }) => isHostname(key));
  }

  /** The class's rules as counters. A spread counts from zero: a node without such pods can always be bought. */
  rulesOf({ matches, spread, antiAffinity }: ClassRules, ports: readonly HostPort[]): HostRules {
    if (this.#size === 0) return NO_RULES;
    const adds: CounterCount[] = [];
    const caps: CounterCap[] = [];
    for (const selector of matches) {
      const counter = this.#ofSelector.get(selector);
      if (counter !== undefined) adds.push({ counter, count: 1 });
    }
    for (const { selector, key, maxSkew } of spread) {
      const counter = this.#ofSelector.get(selector);
      if (isHostname(key) && counter !== undefined) caps.push({ counter, cap: maxSkew });
    }
    for (const { selector, key } of antiAffinity) {
      const counter = this.#ofSelector.get(selector);
      if (isHostname(key) && counter !== undefined)
        caps.push({ counter, cap: matches.has(selector) ? 1 : 0 });
    }
    const own = this.#portRules(ports);
    return hostRules([...adds, ...own.adds], [...caps, ...own.caps]);
  }

  /** A port on all addresses excludes the same port on each, and the other way round. */
  #portRules(ports: readonly HostPort[]): Omit<HostRules, 'key'> {
    const adds: CounterCount[] = [];
    const caps: CounterCap[] = [];
    for (const port of ports) {
      const key = portKey(port);
      const own = portAddress(port);
      for (const address of this.#addresses.get(key) ?? []) {
        const counter = this.#ofPort.get(`${key}/${address}`);
        if (counter === undefined) continue;
        if (address === own) adds.push({ counter, count: 1 });
        if (address === own) caps.push({ counter, cap: 1 });
        else if (addressesClash(address, own)) caps.push({ counter, cap: 0 });
      }
    }
    return { adds, caps };
  }

  /** What the pods on the target have counted already. Of their rules only anti-affinity and ports bind others. */
  presets(target: Target): readonly HostPreset[] {
    if (this.#size === 0) return [];
    const presets: HostPreset[] = [];
    for (const pod of target.pods) {
      for (const selector of this.#selectors.matchesOf(pod.namespace, pod.labels)) {
        const counter = this.#ofSelector.get(selector);
        if (counter !== undefined) presets.push({ counter, count: 1, cap: NO_CAP });
      }
      for (const { selector } of this.#hostAntiTerms(pod)) {
        const counter = this.#ofSelector.get(selector);
        if (counter !== undefined) presets.push({ counter, count: 0, cap: this.#ownCap(pod, selector) });
      }
      presets.push(...this.#portPresets(pod.spec.hostPorts));
    }
    presets.push(...this.daemonPresets(target.daemonsToCome));
    return presets;
  }

  /** Ports that daemons hold on a node, whether their pods are there yet or not. */
  daemonPresets(daemons: readonly PodSpec[]): readonly HostPreset[] {
    return daemons.flatMap((spec) => this.#portPresets(spec.hostPorts));
  }

  #portPresets(ports: readonly HostPort[]): HostPreset[] {
    const { adds, caps } = this.#portRules(ports);
    return [
      ...adds.map(({ counter, count }) => ({ counter, count, cap: NO_CAP })),
      ...caps.map(({ counter, cap }) => ({ counter, count: 0, cap })),
    ];
  }

  #ownCap(pod: Pod, selector: number): number {
    return this.#selectors.matchesOf(pod.namespace, pod.labels).includes(selector) ? 1 : 0;
  }
}

const NO_RULES: HostRules = { key: '', adds: [], caps: [] };

/** Rules in order of their counters, with one cap for each: the tightest. */
export function hostRules(adds: CounterCount[], caps: readonly CounterCap[]): HostRules {
  if (adds.length === 0 && caps.length === 0) return NO_RULES;
  const tightest: CounterCap[] = [];
  const ascending = caps.toSorted((left, right) => left.counter - right.counter || left.cap - right.cap);
  for (const one of ascending) if (tightest.at(-1)?.counter !== one.counter) tightest.push(one);
  adds.sort((left, right) => left.counter - right.counter);
  let key = '';
  for (const { counter, count } of adds) key += `${counter}+${count},`;
  for (const { counter, cap } of tightest) key += `${counter}<${cap},`;
  return { key, adds, caps: tightest };
}
