/**
 * /api/genomes: names of genome builds to mark data with. Only names: this node has no sequences of them. The list is
 * UCSC's common assemblies; a dataset may be marked with any other by the API.
 */
import type { FastifyInstance } from 'fastify';
import { apiErrors } from './errors.js';

const BUILDS: readonly (readonly [string, string])[] = [
  ['hs1', 'Human Jan. 2022 (T2T CHM13v2.0/hs1)'],
  ['hg38', 'Human Dec. 2013 (GRCh38/hg38)'],
  ['hg19', 'Human Feb. 2009 (GRCh37/hg19)'],
  ['mm39', 'Mouse June 2020 (GRCm39/mm39)'],
  ['mm10', 'Mouse Dec. 2011 (GRCm38/mm10)'],
  ['rn7', 'Rat Nov. 2020 (mRatBN7.2/rn7)'],
  ['rn6', 'Rat Jul. 2014 (RGSC 6.0/rn6)'],
  ['danRer11', 'Zebrafish May 2017 (GRCz11/danRer11)'],
  ['galGal6', 'Chicken Mar. 2018 (GRCg6a/galGal6)'],
  ['xenTro10', 'X. tropicalis Nov. 2019 (UCB_Xtro_10.0/xenTro10)'],
  ['dm6', 'D. melanogaster Aug. 2014 (BDGP Release 6 + ISO1 MT/dm6)'],
  ['ce11', 'C. elegans Feb. 2013 (WBcel235/ce11)'],
  ['sacCer3', 'S. cerevisiae Apr. 2011 (SacCer_Apr2011/sacCer3)'],
  ['wuhCor1', 'SARS-CoV-2 Jan. 2020 (NC_045512.2/wuhCor1)'],
];

/** What a person reads, and the name. */
export function genomeBuilds(): [label: string, build: string][] {
  return [['unspecified (?)', '?'], ...BUILDS.map(([build, name]): [string, string] => [`${name} (${build})`, build])];
}

export function genomeRoutes(app: FastifyInstance): void {
  app.get('/api/genomes', async () => genomeBuilds());
  app.get('/api/genomes/:id', async (request) => {
    const { id } = request.params as { id: string };
    throw apiErrors('no-such', { what: 'genome with sequences', id });
  });
}
