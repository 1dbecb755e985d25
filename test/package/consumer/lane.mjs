// Starts a lane from the installed package and prints what it delivers.

import { Lane, siblingUrl } from 'barewire/lane';

const lane = await Lane.start({
  module: siblingUrl(import.meta.url, './laneProgram'),
  data: { polls: 1000 },
});
console.log(JSON.stringify(await lane.done));
