// Answers from a bundle in Node.js, by onnxruntime-node and the tokenizer of @huggingface/transformers.
//
//     import { openBundle, readRecord } from "./bundle.mjs";
//     const bundle = await openBundle("bundles/8L_trunc");
//     await bundle.predict({ page: { title: "…" } }, "f1");      // { label, probabilities, positive }
//     await bundle.predict(readRecord(line), "f1");              // of JSON: JSON.parse would read 19.0 as 19
//
//     node bundle.mjs BUNDLE < records.jsonl                     // one answer per line
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { PreTrainedTokenizer } from "@huggingface/transformers";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { own, readRecord, renderer } from "./rendering.mjs";

export { readRecord };

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** A bundle's artifact, `fp32` or another one of its manifest, ready to predict. */
export async function openBundle(folder, artifact = "fp32") {
  const read = async (name) => JSON.parse(await readFile(`${folder}/${name}`, "utf8"));
  const [view, after] = [await read("preprocessing.json"), await read("postprocessing.json")];
  const { artifacts } = await read("manifest.json");
  if (!own(artifacts, artifact)) throw new Error(`no '${artifact}'; known: ${Object.keys(artifacts)}`);
  const tokenizer = new PreTrainedTokenizer(await read("tokenizer.json"), await read("tokenizer_config.json"));
  const session = await InferenceSession.create(`${folder}/${artifacts[artifact].file}`);
  const encode = renderer(view, tokenizer);

  async function logits(record) {
    const rows = [];
    for (const { ids, types } of encode(record)) { // one window per run: int8 depends on what shares a batch
      const columns = { input_ids: ids, attention_mask: ids.map(() => 1), token_type_ids: types };
      const tensor = (name) => new Tensor("int64", BigInt64Array.from(columns[name], BigInt), [1, ids.length]);
      const found = await session.run(Object.fromEntries(session.inputNames.map((name) => [name, tensor(name)])));
      rows.push([...found.logits.data]);
    }
    const highest = view.windows?.pool === "max";
    const pooled = (column) => (highest ? Math.max(...column) : sum(column) / rows.length);
    return rows[0].map((_, index) => pooled(rows.map((row) => row[index])));
  }

  function answer(found, point) {
    const scaled = found.map((value) => value / after.temperature[artifact]), highest = Math.max(...scaled);
    const powers = scaled.map((value) => Math.exp(value - highest)), several = after.activation === "sigmoid";
    const total = sum(powers);
    const chances = several ? scaled.map((value) => 1 / (1 + Math.exp(-value))) : powers.map((one) => one / total);
    const probabilities = Object.fromEntries(after.labels.map((label, index) => [label, chances[index]]));
    const held = after.labels.filter((_, index) => found[index] >= 0);
    const said = { label: several ? held : after.labels[scaled.indexOf(highest)], probabilities };
    if (point === undefined) return said;
    const each = point === "class_f1" && own(after.class_thresholds ?? {}, artifact); // of labels that hold together
    if (each) return { ...said, label: after.labels.filter((label) => probabilities[label] >= each[label]) };
    const least = own(after.operating_points[artifact], point);
    if (least == null) throw new Error(`no operating point '${point}' at ${artifact}`);
    return { ...said, positive: probabilities[after.positive] >= least };
  }

  return { encode, logits, answer, predict: async (record, point) => answer(await logits(record), point) };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder, artifact, point] = process.argv.slice(2);
  const bundle = await openBundle(folder, artifact);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim()) console.log(JSON.stringify(await bundle.predict(readRecord(line), point)));
  }
}
