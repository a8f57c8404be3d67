// Compares two documents of one form by their structure: paths, operations, parameters and answers with their headers.
// What texts and schemas say is not compared: every converter has its own way there.
const { readFileSync } = require("node:fs");

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch"];

function facts(file) {
  const document = JSON.parse(readFileSync(file, "utf8"));
  const resolve = (value) => {
    while (value?.$ref) {
      value = value.$ref.slice(2).split("/").reduce((at, name) => at[name.replace(/~1/g, "/").replace(/~0/g, "~")], document);
    }
    return value;
  };
  const found = new Set();
  for (const [path, item] of Object.entries(document.paths)) {
    found.add(path);
    for (const method of METHODS.filter((method) => item[method])) {
      const operation = item[method];
      const name = `${method} ${path}`;
      found.add(`${name}: is ${operation.operationId}`);
      for (const extension of Object.keys(operation).filter((key) => key.startsWith("x-"))) {
        found.add(`${name}: ${extension} = ${operation[extension]}`);
      }
      for (const parameter of [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolve)) {
        const type = parameter.schema?.type ?? parameter.type ?? "";
        found.add(`${name}: takes ${parameter.in} ${parameter.name} ${type}${parameter.required ? ", required" : ""}`);
      }
      if (operation.requestBody) {
        found.add(`${name}: takes ${Object.keys(resolve(operation.requestBody).content)}`);
      }
      for (const [status, reference] of Object.entries(operation.responses)) {
        const answer = resolve(reference);
        found.add(`${name}: answers ${status}`);
        for (const media of Object.keys(answer.content ?? {})) {
          found.add(`${name}: answers ${status} as ${media}`);
        }
        for (const header of Object.keys(answer.headers ?? {})) {
          found.add(`${name}: answers ${status} with ${header}`);
        }
      }
    }
  }
  return found;
}

// No difference is intended: what the older forms cannot say, all converters drop alike.
const [ours, theirs] = process.argv.slice(2).map(facts);
const differences = [
  ...[...ours].filter((fact) => !theirs.has(fact)).map((fact) => `only ours:   ${fact}`),
  ...[...theirs].filter((fact) => !ours.has(fact)).map((fact) => `only theirs: ${fact}`),
];
for (const difference of differences) {
  console.log(difference);
}
console.log(`${ours.size} facts, ${differences.length} differences`);
process.exit(differences.length === 0 && ours.size > 0 ? 0 : 1);
