// What examples/node says of a bundle's golden records: windows, logits and answers, as one JSON list.
import { readFileSync } from "node:fs";
import { openBundle } from "./bundle.mjs";

const [folder, artifact, point] = process.argv.slice(2);
const bundle = await openBundle(folder, artifact);
const said = [];
for (const line of readFileSync(`${folder}/golden.jsonl`, "utf8").split("\n").filter(Boolean)) {
  const { record } = JSON.parse(line);
  const windows = bundle.encode(record).map(({ ids, types }) => ({ ids, type_ids: types }));
  const logits = await bundle.logits(record);
  said.push({ windows, logits, answer: bundle.answer(logits, point) });
}
console.log(JSON.stringify(said));
