'use strict';

// The HTTP half of a crossdock service: it knows the protocol, but not the tracing client.
//
// A client is an object with
//   receive(headers)           starts the server span `post` below the caller's span
//   root(name, sampled, item, items)  starts a trace of its own with one baggage item, and further ones
//   call(span, headers)        starts the client span `post` below `span` and writes its headers
//   observe(span)              returns the trace id, the decision and the baggage item
//   finish(span)               ends a span
//   close()                    sends what is buffered; returns a promise

const http = require('http');

const LARGEST_BODY = 1 << 20;

/** Reads `--name value` pairs. Every service gets the same ones, and uses those that it needs. */
function flags() {
  const given = process.argv.slice(2);
  const read = {};
  for (let at = 0; at + 1 < given.length; at += 2) {
    read[given[at].replace(/^--/, '')] = given[at + 1];
  }
  return read;
}

/** Ends the program as a service does whose client lacks the format. */
function lacks(client, format) {
  console.error(`${client} has no format ${format}`);
  process.exit(3);
}

function read(stream) {
  return new Promise((resolve, reject) => {
    const parts = [];
    let length = 0;
    stream.on('data', (part) => {
      length += part.length;
      if (length > LARGEST_BODY) {
        reject(new Error('the body is too long'));
        stream.destroy();
      } else {
        parts.push(part);
      }
    });
    stream.on('end', () => resolve(Buffer.concat(parts).toString()));
    stream.on('error', reject);
  });
}

function post(host, port, headers, body) {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', host, port, path: '/join_trace', headers, agent: false };
    const request = http.request(options, (response) => {
      read(response).then((text) => {
        if (response.statusCode !== 200) {
          throw new Error(`${host}:${port} answered ${response.statusCode}: ${text}`);
        }
        return JSON.parse(text);
      }).then(resolve, reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Returns what `span` and everything below it observes. */
async function follow(client, span, downstream) {
  const answer = { span: client.observe(span), notImplementedError: '' };
  if (!downstream) {
    return answer;
  }
  if (downstream.transport !== 'HTTP') {
    answer.downstream = { notImplementedError: `no transport ${downstream.transport}` };
    return answer;
  }
  const headers = { 'content-type': 'application/json' };
  const call = client.call(span, headers);
  try {
    const { host, port, serverRole, downstream: further } = downstream;
    const body = JSON.stringify({ serverRole, downstream: further });
    answer.downstream = await post(host, port, headers, body);
  } finally {
    client.finish(call);
  }
  return answer;
}

const PATHS = {
  async '/start_trace'(client, _received, request) {
    const span = client.root(request.serverRole, request.sampled, request.baggage, request.items ?? {});
    try {
      return await follow(client, span, request.downstream);
    } finally {
      client.finish(span);
    }
  },
  '/join_trace': (client, received, request) => follow(client, received, request.downstream),
};

async function answer(client, request, response) {
  if (request.method !== 'POST') {
    response.writeHead(request.url === '/' ? 200 : 404).end();
    return;
  }
  const handle = PATHS[request.url];
  if (!handle) {
    response.writeHead(404).end();
    return;
  }
  const body = await read(request);
  const span = client.receive(request.headers);
  try {
    const text = JSON.stringify(await handle(client, span, JSON.parse(body)));
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  } finally {
    client.finish(span);
  }
}

/** Serves until SIGTERM. */
function serve(client, { host, port }) {
  const server = http.createServer((request, response) => {
    answer(client, request, response).catch((error) => {
      console.error(error);
      if (!response.headersSent) {
        response.writeHead(500);
      }
      response.end(String(error));
    });
  });
  server.listen(Number(port), host);
  process.once('SIGTERM', () => {
    server.close();
    server.closeAllConnections();
    client.close().then(() => process.exit(0), (error) => {
      console.error(error);
      process.exit(1);
    });
  });
}

module.exports = { flags, lacks, serve };
