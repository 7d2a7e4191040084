// Settings of `cooper run`: flags win over the environment, that over the config file, that over defaults.
import { Ajv } from 'ajv';
import { parse as parseYaml } from 'yaml';
import { parseDurationMs } from '../model/duration.ts';
import { flagOf, SETTING_KEYS, SETTINGS, type SettingKey, type SettingType } from './settingsTable.ts';

/** All settings, parsed. Durations are in milliseconds. Absent strings are null. */
export interface RunSettings {
  readonly clusterName: string;
  readonly clusterEndpoint: string | null;
  readonly clusterCaBundle: string | null;
  readonly serviceCidr: string | null;
  readonly kubeconfig: string | null;
  readonly region: string;
  readonly defaultInstanceProfile: string | null;
  readonly batchIdleDurationMs: number;
  readonly batchMaxDurationMs: number;
  readonly planBudgetMs: number;
  readonly registrationTtlMs: number;
  readonly vmMemoryOverheadPercent: number;
  readonly eniLimitedPodDensity: boolean;
  readonly enablePodEni: boolean;
  readonly prefixDelegation: boolean;
  readonly reservedEnis: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly pricesFile: string | null;
  /** Name or URL; null: EC2 itself is polled for interruptions. */
  readonly interruptionQueue: string | null;
  readonly surgeSingleReplicas: boolean;
  readonly dumpFolder: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly leaderElection: boolean;
  readonly leaderElectionName: string;
  readonly leaderElectionNamespace: string;
  readonly metricsPort: number;
  readonly healthProbePort: number;
}

export interface SettingSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Text of the config file and its name, null without one. */
  readonly file: { readonly name: string; readonly text: string } | null;
}

export type SettingsOutcome =
  | { readonly kind: 'valid'; readonly settings: RunSettings }
  /** One sentence a problem: source, key and mend. */
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

interface Given {
  readonly value: unknown;
  /** Where a person finds it: `--cluster-name`, `environment variable CLUSTER_NAME`, `cooper.yaml: clusterName`. */
  readonly source: string;
}

const REQUIRED: readonly SettingKey[] = ['clusterName', 'region'];

/** Reads all sources together. */
export function readSettings(sources: SettingSources): SettingsOutcome {
  const problems: string[] = [];
  const fromFile = readFile(sources.file, problems);
  const parsed: Record<string, unknown> = {};
  for (const key of SETTING_KEYS) {
    const given = sourceOf(key, sources, fromFile);
    if (given === null) {
      if (REQUIRED.includes(key)) {
        problems.push(
          `${key} is missing; set ${flagOf(key)}, ${SETTINGS[key].env} or ${key} in the config file`,
        );
      }
      parsed[nameOf(key)] = null;
      continue;
    }
    const { value, expected } = parseSetting(SETTINGS[key].type, given.value);
    if (value === null) problems.push(`${given.source} is ${JSON.stringify(given.value)}; write ${expected}`);
    parsed[nameOf(key)] = value;
  }
  if (problems.length > 0) return { kind: 'invalid', problems };
  return { kind: 'valid', settings: parsed as unknown as RunSettings };
}

function nameOf(key: SettingKey): string {
  return SETTINGS[key].type === 'duration' ? `${key}Ms` : key;
}

function sourceOf(
  key: SettingKey,
  { flags, env }: SettingSources,
  fromFile: Map<string, Given>,
): Given | null {
  if (flags[key] !== undefined) return { value: flags[key], source: flagOf(key) };
  const row = SETTINGS[key];
  const variable = env[row.env];
  if (variable !== undefined && variable !== '') {
    return { value: variable, source: `environment variable ${row.env}` };
  }
  const held = fromFile.get(key);
  if (held !== undefined) return held;
  return 'default' in row ? { value: row.default, source: `default of ${key}` } : null;
}

const SCALARS = ['string', 'number', 'boolean'];
const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(
    SETTING_KEYS.map((key) => [
      key,
      { type: SETTINGS[key].type === 'tags' ? ['object', 'string'] : SCALARS },
    ]),
  ),
};

function readFile(file: SettingSources['file'], problems: string[]): Map<string, Given> {
  const given = new Map<string, Given>();
  if (file === null) return given;
  let content: unknown;
  try {
    content = parseYaml(file.text) ?? {};
  } catch (failure) {
    problems.push(
      `${file.name} is neither YAML nor JSON (${String(failure).split('\n')[0]}); mend its syntax`,
    );
    return given;
  }
  const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(SCHEMA);
  if (!validate(content)) {
    for (const error of validate.errors ?? []) problems.push(describeFileError(file.name, error));
    return given;
  }
  for (const [key, value] of Object.entries(content as Record<string, unknown>)) {
    given.set(key, { value, source: `${file.name}: ${key}` });
  }
  return given;
}

function describeFileError(
  file: string,
  error: {
    readonly keyword: string;
    readonly instancePath: string;
    readonly params: Record<string, unknown>;
  },
): string {
  if (error.keyword === 'additionalProperties') {
    const unknownKey = String(error.params.additionalProperty);
    return `${file}: ${unknownKey} is no setting; known are ${SETTING_KEYS.join(', ')}`;
  }
  const where = error.instancePath === '' ? 'the file' : error.instancePath.slice(1);
  return `${file}: ${where} is of the wrong type; write ${String(error.params.type)}`;
}

interface ParsedSetting {
  /** null when the text does not fit. */
  readonly value: unknown;
  readonly expected: string;
}

function parseSetting(type: SettingType, value: unknown): ParsedSetting {
  const text = String(value).trim();
  switch (type) {
    case 'string':
      return { value: text === '' ? null : text, expected: 'a text that is not empty' };
    case 'duration':
      return { value: parseDurationMs(text), expected: 'a duration such as 500ms, 10s, 15m or 1h30m' };
    case 'port':
      return { value: wholeNumber(text, 65_535), expected: 'a port from 0 (any free one) to 65535' };
    case 'integer':
      return { value: wholeNumber(text, 1_000_000), expected: 'a whole number from 0 up' };
    case 'fraction':
      return { value: fraction(text), expected: 'a number from 0 to below 1, such as 0.075' };
    case 'boolean':
      return { value: text === 'true' ? true : text === 'false' ? false : null, expected: 'true or false' };
    case 'url':
      return {
        value: /^https?:\/\/[^/]+/.test(text) ? text : null,
        expected: 'an absolute URL such as https://…',
      };
    case 'logLevel':
      return { value: LEVELS.includes(text) ? text : null, expected: LEVELS.join(', ') };
    case 'tags':
      return { value: tagsFrom(value), expected: 'a JSON object of strings such as {"team": "web"}' };
  }
}

const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'];
function wholeNumber(text: string, most: number): number | null {
  return /^\d+$/.test(text) && Number(text) <= most ? Number(text) : null;
}

function fraction(text: string): number | null {
  return /^0?\.?\d+$/.test(text) && Number(text) < 1 ? Number(text) : null;
}

function tagsFrom(value: unknown): Readonly<Record<string, string>> | null {
  const tags = typeof value === 'string' ? parseJson(value) : value;
  if (typeof tags !== 'object' || tags === null || Array.isArray(tags)) return null;
  return Object.values(tags).every((one) => typeof one === 'string')
    ? (tags as Record<string, string>)
    : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
