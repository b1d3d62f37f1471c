import { testRecorded } from './recorded-layers';

testRecorded('plain');
