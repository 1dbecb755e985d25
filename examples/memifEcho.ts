// Two programs pass frames through memory that they share: this file starts itself once more, and the two meet at a
// socket. The kernel sees no frame; each of them sleeps while it has nothing to do. Needs no privileges.
//
//   node bin/launch.js examples/memifEcho.ts
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Burst } from 'barewire/core';
import { openPort, type Port, watchPort } from 'barewire/port';
import { echoUdpFrame, parseUdpFrame, UdpFrame, UdpFrameTemplate } from 'barewire/wire';

const COUNT = 1000;
const IN_FLIGHT = 32;
const socket = process.argv[2] ?? `/tmp/memif-echo-${process.pid}`;
const frame = new UdpFrame();
const burst = new Burst(IN_FLIGHT);
let sent = 0;

if (process.argv.length > 2) await answer();
else await ask();

/** The server copies each frame out of the shared memory: nobody changes it between the check and the answer. */
async function answer(): Promise<void> {
  using port = openPort(`memif:${socket}?role=server`);
  let answered = 0;
  for await (const frames of watchPort(port)) {
    for (let i = 0; i < frames.count; i++) {
      if (parseUdpFrame(port.regions[0]!.view, frames.addr[i]!, frames.len[i]!, frame) === 0)
        echoUdpFrame(frame);
    }
    const accepted = port.tx(frames);
    frames.dropPrefix(accepted);
    port.flush();
    answered += accepted;
    if (answered === COUNT) break;
  }
  console.log(`server: answered ${answered} frames`);
}

/** The client owns the memory: the answers arrive in chunks that it has lent. */
async function ask(): Promise<void> {
  using port = openPort(`memif:${socket}`);
  console.log(port.report.mode.replace(socket, 'the socket'));
  const server = spawn(process.execPath, [import.meta.filename, socket], { stdio: 'inherit' });
  // Until there is a server, tx() takes nothing.
  const first = setInterval(() => sent === 0 && send(port, IN_FLIGHT), 10);
  let got = 0;
  let sum = 0;
  for await (const frames of watchPort(port)) {
    clearInterval(first);
    const { view } = port.regions[0]!;
    for (let i = 0; i < frames.count; i++) {
      if (parseUdpFrame(view, frames.addr[i]!, frames.len[i]!, frame) === 0)
        sum += view.getUint32(frame.payloadOffset);
    }
    got += frames.count;
    send(port, Math.min(frames.count, COUNT - sent));
    if (got === COUNT) break;
  }
  await once(server, 'exit');
  console.log(`client: got ${got} answers, sum ${sum}`);
}

/** Sends `count` datagrams, each with its number. */
function send(port: Port, count: number): void {
  const template = new UdpFrameTemplate({
    ...{ sourceMac: port.mac, destinationMac: port.mac },
    ...{ sourceAddress: '10.0.0.1', destinationAddress: '10.0.0.2', sourcePort: 40_000, destinationPort: 7 },
  });
  port.alloc(burst, Math.min(count, IN_FLIGHT));
  for (let i = 0; i < burst.count; i++) {
    const { view } = port.regions[0]!;
    view.setUint32(burst.addr[i]! + template.headerLen, sent + i);
    burst.len[i] = template.write(view, burst.addr[i]!, 25);
  }
  const accepted = port.tx(burst);
  sent += accepted;
  burst.dropPrefix(accepted);
  port.recycle(burst);
  port.flush();
}
