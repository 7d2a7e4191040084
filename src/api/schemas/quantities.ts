// Schemas of Kubernetes quantities, resource lists and durations.
import { VALID_KEYS } from './labels.ts';
import type { MapSchema, QuantitySchema, TextSchema } from './schema.ts';

/** The grammar of `k8s.io/apimachinery/pkg/api/resource.Quantity` without negative amounts, its digits bounded. */
export const QUANTITY_BODY =
  '\\+?([0-9]{1,18}(\\.[0-9]{0,9})?|\\.[0-9]{1,9})([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?';

export const quantity = (description: string): QuantitySchema => ({
  type: 'quantity',
  description,
  pattern: `^${QUANTITY_BODY}$`,
  meaning: 'an amount of 0 or more such as 500m, 4 or 10Gi',
});

/** Amounts by resource name. */
export const resourceList = (description: string): MapSchema => ({
  type: 'map',
  description,
  values: quantity('Amount of the resource.'),
  maxProperties: 50,
  rules: [VALID_KEYS],
});

/** A Go duration, as the kubelet's configuration takes it. */
export const duration = (description: string): TextSchema => ({
  type: 'text',
  description,
  pattern: '^([0-9]{1,9}(\\.[0-9]{1,9})?(ns|us|ms|s|m|h)){1,6}$',
  meaning: 'a duration such as 90s or 1m30s',
  maxLength: 64,
});
