// Kubernetes quantities: parsed exactly into integers, written back in canonical form.

const BINARY_EXPONENTS: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE][+-]?\d{1,3})|(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E))?$/;

/**
 * Parses a quantity and scales it, rounding up (away from zero), as Go's `resource.Quantity.ScaledValue` does.
 * Source: k8s.io/apimachinery/pkg/api/resource, "Quantity" grammar.
 * @param text the quantity as written: `1.5Gi`, `100m`, `2e3`, or a JSON number
 * @param scale decimal exponent of the result's unit: 0 for whole units (bytes), -3 for thousandths (millicores)
 * @returns the integer number of units, or null when the text is no quantity
 */
export function parseQuantity(text: string | number, scale: 0 | -3): number | null {
  const match = PATTERN.exec(String(text).trim());
  if (match === null) return null;
  const [, sign = '', whole = '', fraction = '', exponentText, suffix = ''] = match;
  if (whole === '' && fraction === '') return null;
  let numerator = BigInt(whole + fraction);
  let tenExponent = -fraction.length - scale;
  if (exponentText !== undefined) tenExponent += Number(exponentText.slice(1));
  const binaryExponent = BINARY_EXPONENTS[suffix];
  if (binaryExponent !== undefined) numerator <<= BigInt(binaryExponent);
  else tenExponent += DECIMAL_EXPONENTS[suffix] ?? 0;
  const magnitude = scaleByTen(numerator, tenExponent);
  return sign === '-' ? -magnitude : magnitude;
}

function scaleByTen(numerator: bigint, tenExponent: number): number {
  if (tenExponent >= 0) return Number(numerator * 10n ** BigInt(tenExponent));
  const divisor = 10n ** BigInt(-tenExponent);
  return Number((numerator + divisor - 1n) / divisor);
}

/** Writes bytes as a binary quantity string, in the largest unit that divides them evenly: 1610612736 is `1536Mi`. */
export function formatBytes(bytes: number): string {
  for (const [suffix, exponent] of Object.entries(BINARY_EXPONENTS).reverse()) {
    const unit = 2 ** exponent;
    if (bytes !== 0 && bytes % unit === 0) return `${bytes / unit}${suffix}`;
  }
  return String(bytes);
}

/** Writes millicores as a quantity string: 1500 is `1500m`, 2000 is `2`. */
export function formatMillis(millis: number): string {
  return millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`;
}
