import { describe, expect, it } from 'vitest';
import { locate, openGeoDatabase, parseLocation, parseLocationTable } from '../../../coordinator/location.js';

describe('where a visitor is', () => {
  it.each([
    ['59.86,17.64', { lat: 59.86, lon: 17.64 }],
    [' -37.8 , +145 ', { lat: -37.8, lon: 145 }],
  ])('reads the location %s', (text, location) => {
    expect(parseLocation(text)).toEqual(location);
  });

  it.each(['', '1', '1,2,3', '91,0', '0,181', 'a,b', '1e1,2', 'NaN,0', '0x1,2'])(
    'refuses the location "%s"',
    (text) => {
      expect(() => parseLocation(text)).toThrow(expect.objectContaining({ code: 'coordinator/bad-location' }));
    },
  );

  it('takes the longest range of the table before the database', () => {
    const rules = parseLocationTable({ '10.0.0.0/8': '1,1', '10.1.0.0/16': '2,2' });
    const database = { find: () => ({ lat: 9, lon: 9 }) };
    expect(locate('10.1.2.3', rules, database)).toEqual({
      location: { lat: 2, lon: 2 },
      reason: 'the table has 10.1.0.0/16',
    });
    expect(locate('10.2.2.3', rules, database).location).toEqual({ lat: 1, lon: 1 });
    expect(locate('192.0.2.1', rules, database).location).toEqual({ lat: 9, lon: 9 });
    expect(locate('192.0.2.1', rules, undefined).location).toBeUndefined();
    expect(locate('nowhere', rules, database).location).toBeUndefined();
  });

  it('names a location database that cannot be read', async () => {
    await expect(openGeoDatabase('/nonexistent.mmdb')).rejects.toMatchObject({ code: 'coordinator/no-geo-database' });
  });
});
