/** The majors of Node that the package promises to run on (package.json, `engines`; README). */
export const MAJORS = [20, 22, 24];
