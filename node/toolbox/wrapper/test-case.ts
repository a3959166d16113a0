/** A wrapper's `<test>`, as data: what goes in, and what must come out. test-xml.ts reads it, a runner runs it. */
import type { JsonValue } from '../../../protocol/log/entry.js';
import type { Spot } from '../errors.js';

export interface ToolTest {
  /** From 1, in the order of the wrapper. */
  number: number;
  spot: Spot;
  /** Why it cannot be run; what could be read is there all the same. */
  problems: TestProblem[];
  inputs: TestInput[];
  outputs: TestOutput[];
  collections: TestOutputCollection[];
  expectFailure: boolean;
  /** For tests of the test runner itself: this test must fail. */
  expectTestFailure: boolean;
  expectExitCode: number | undefined;
  expectNumOutputs: number | undefined;
  maxSeconds: number | undefined;
  command: Assertion[] | undefined;
  commandVersion: Assertion[] | undefined;
  stdout: Assertion[] | undefined;
  stderr: Assertion[] | undefined;
}

export interface TestProblem extends Spot {
  message: string;
}

/** What a parameter is given. Whether `value` names files depends on the parameter's type, which the tool knows. */
export interface TestInput {
  spot: Spot;
  /** `a|b_0|c`; a name without path may mean a nested parameter. */
  path: string;
  /** As written; undefined when it is given otherwise. */
  value: string | undefined;
  /** `values="a,b"`. */
  values: string[] | undefined;
  json: JsonValue | undefined;
  ftype: string | undefined;
  dbkey: string | undefined;
  /** An address to fetch the file from. */
  location: string | undefined;
  /** `File` or `Directory`, the name the dataset gets, tags, … */
  attributes: Record<string, string>;
  metadata: Record<string, string>;
  /** Files of a composite dataset, in order. */
  compositeData: string[];
  /** `<edit_attributes type="name" value="x"/>`. */
  edits: { type: string; value: string }[];
  collection: TestCollection | undefined;
}

export interface TestCollection {
  type: string;
  name: string;
  elements: { identifier: string; input?: TestInput; collection?: TestCollection }[];
}

/** What a dataset that came out is compared with. */
export interface TestExpectation {
  spot: Spot;
  file: string | undefined;
  location: string | undefined;
  json: JsonValue | undefined;
  ftype: string | undefined;
  compare: Compare;
  linesDiff: number;
  delta: number;
  deltaFrac: number | undefined;
  sort: boolean;
  decompress: boolean;
  md5: string | undefined;
  /** `sha256$…`. */
  checksum: string | undefined;
  /** For images. */
  metric: string;
  eps: number;
  pinLabels: string | undefined;
  /** How many datasets or elements. */
  count: number | undefined;
  metadata: Record<string, string>;
  assertions: Assertion[] | undefined;
  extraFiles: TestExtraFile[];
}

export const COMPARES = ['diff', 're_match', 're_match_multiline', 'contains', 'sim_size', 'image_diff'] as const;
export type Compare = (typeof COMPARES)[number];

export interface TestOutput extends TestExpectation {
  name: string;
  discovered: (TestExpectation & { designation: string })[];
}

export interface TestExtraFile extends TestExpectation {
  kind: 'file' | 'directory';
  name: string | undefined;
}

export interface TestElement extends TestExpectation {
  identifier: string;
  elements: TestElement[];
}

export interface TestOutputCollection {
  spot: Spot;
  name: string;
  type: string | undefined;
  count: number | undefined;
  attributes: Record<string, string>;
  elements: TestElement[];
}

/** `<has_text text="x"/>`, `<has_archive_member path="x"><has_text …/></has_archive_member>`. */
export interface Assertion {
  spot: Spot;
  name: string;
  attributes: Record<string, string>;
  children: Assertion[];
}
