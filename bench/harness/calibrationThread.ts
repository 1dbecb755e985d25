/** The thread that runs the calibration loop, on the core where cases of one thread are measured. */
import { calibrate } from './calibration.ts';
import { serve } from './isolate.ts';
import { pinToMeasuringCore } from './measuringCore.ts';

pinToMeasuringCore();
serve(calibrate);
