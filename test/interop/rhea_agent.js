// SPDX-License-Identifier: Apache-2.0
// rhea_agent.js PORT ADDRESS: an agent of one method: Echo.say(text) returns its argument, after accepted,
// started and a progress; anything else raises. Prints "ready", then each request's body, one line each.
const rhea = require('rhea');
const [port, address] = process.argv.slice(2);
const container = rhea.create_container();
const connection = container.connect({ host: '127.0.0.1', port: Number(port), reconnect: false });
const senders = {};

connection.open_receiver(address);
container.on('receiver_open', () => console.log('ready'));
// a caller's reply queue is gone with its caller, and the link to it with the queue
container.on('sender_error', () => {});
container.on('message', (c) => {
  const text = typeof c.message.body === 'string' ? c.message.body : c.message.body.content.toString();
  console.log(text);
  const request = JSON.parse(text);
  if (!request.replyto) return;
  const common = { sn: request.sn, version: '2.0', routing: [null, request.replyto], data: request.data,
    timestamp: new Date().toISOString().replace(/\.\d+/, '') };
  const good = request.request.classname === 'Echo' && request.request.method === 'say';
  const result = good ? { retval: request.request.args[0] }
    : { exval: 'Traceback ... ValueError: no', xmodule: 'builtins', xclass: 'ValueError',
      xstate: { trace: 'Traceback ... ValueError: no' }, xargs: ['no'] };
  const sender = senders[request.replyto] = senders[request.replyto] || connection.open_sender(request.replyto);
  const send = (more) => sender.send({ body: JSON.stringify({ ...common, ...more }) });
  send({ status: 'accepted' });
  send({ status: 'started' });
  send({ status: 'progress', total: 2, completed: 1, details: 'half' });
  send({ result });
});
