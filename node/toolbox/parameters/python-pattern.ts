/** A Python pattern of a wrapper; refused with its place when it is none, or has what the matcher does not. */
import { BoundedPattern, PatternRefused } from '../cheetah/pattern.js';
import { type Spot, unsupported } from '../errors.js';

export function pythonPattern(source: string, at: Spot): BoundedPattern {
  try {
    return new BoundedPattern(source);
  } catch (error) {
    if (!(error instanceof PatternRefused)) throw error;
    throw unsupported(`the regular expression "${source}" (${error.message})`, at);
  }
}
