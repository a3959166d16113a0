/** Refusals of `/galaxy/handover/1`, and of a receipt. */
import { defineErrors } from '../../runtime/errors.js';

export const handoverErrors = defineErrors('handover', {
  'not-draining': {
    kind: 'conflict',
    say: 'The node has not announced a drain.',
    mend: 'Start the drain with `galaxy-node drain`.',
  },
  'not-registered': {
    kind: 'conflict',
    say: 'The node has not registered since it joined, so there is nothing to hand over.',
    mend: 'Start it, and drain it once it serves.',
  },
  'too-few-domains': {
    kind: 'conflict',
    say: '{domains} other institution(s) or repositories serve now, {copies} are needed.',
    mend: 'Wait for another node, or drain with `--accept-copies {domains}` and accept the risk.',
  },
  'no-new-home': {
    kind: 'unavailable',
    say: 'No serving node can take over the account {account}.',
    mend: 'Wait until another node serves.',
  },
  'accounts-left': {
    kind: 'conflict',
    say: '{count} account(s) still have their home on this node.',
    mend: 'Hand them over first.',
  },
  'not-compared': {
    kind: 'conflict',
    say: 'There is no receipt yet: the inventory was not compared, or a holder that counted does not serve now.',
    mend: 'It is compared and asked for again by itself.',
  },
  'inventory-order': {
    kind: 'bad-request',
    say: 'The inventory is not sorted, or a page is missing: {reason}.',
    mend: 'Send it again from the start.',
  },
  'inventory-too-large': {
    kind: 'too-large',
    say: 'The inventory has more than {max} objects.',
    mend: 'Call the drain off (`galaxy-node drain --cancel`) and report this: the limit has to be raised.',
  },
  'receipt-invalid': {
    kind: 'corrupt',
    say: 'The receipt is not valid: {reason}.',
    mend: 'Do not delete the data folder.',
  },
});
