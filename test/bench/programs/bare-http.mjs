// What node:http alone can do with the bytes that it was given. `GET` is answered at once; with `wait=true` it is held
// until `POST /release` answers all that are. `GET /held` says how many those are. Prints its port.

import http from 'node:http';

const { headers, body } = JSON.parse(process.argv[2]);
const bytes = Buffer.from(body);
const held = new Set();

function answer(response) {
  response.writeHead(200, headers);
  response.end(bytes);
}

function releaseAll() {
  const released = [...held];
  held.clear();
  for (const response of released) answer(response);
}

const server = http.createServer((request, response) => {
  if (request.url.endsWith('wait=true')) {
    held.add(response);
    response.on('close', () => held.delete(response));
  } else if (request.url === '/release') {
    releaseAll();
    response.end('OK');
  } else if (request.url === '/held') {
    response.end(String(held.size));
  } else {
    answer(response);
  }
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
