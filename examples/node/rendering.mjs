// From a record to token ids, as the bundle's rendering.py does it. The cut is made on token ids: truncation of the
// library would take special tokens away. It tells no offsets of tokens, so views with budgets are refused, as are
// symmetric tasks. Of numbers whole ones are read: Python writes others in its own way, so give them as texts.
// JSON.parse takes 19.0 and 1e2 for whole ones, which Python does not: readRecord tells them apart, and they are refused.

// The white space of Python's str.split.
const SPACES = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;

const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const MARK = "\ud800"; // in no valid text

/** A number as it is written, with a point or an exponent. */
class Decimal {
  #text;
  constructor(text) { this.#text = text; }
  toString() { return this.#text; }
}

/** The record in a line of JSON, after the byte order mark that a file may begin with. */
export function readRecord(line) {
  const marked = (token) => (/^[^"]*[.eE]/.test(token) ? JSON.stringify({ [MARK]: token }) : token);
  const kept = (_, value) => (own(value, MARK) === undefined ? value : new Decimal(value[MARK]));
  return JSON.parse(line.replace(/^\ufeff/, "").replace(STRING_OR_NUMBER, marked), kept);
}

/** What an object itself has by this name, not what every object has. */
export function own(value, name) {
  const named = typeof value === "object" && value !== null && !Array.isArray(value);
  return named && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** encode(record): the windows of a record, each `{ ids, types }`. `view`: content of preprocessing.json. */
export function renderer(view, tokenizer) {
  if (Object.keys(view.budgets ?? {}).length) throw new Error("this view has budgets of fields: use runtime.py");
  if (view.swap) throw new Error("this task is symmetric: use runtime.py");
  const pair = (view.right ?? []).length > 0, frame = readFrame(tokenizer, pair);
  const room = view.max_tokens - frame.flatMap((part) => part.around).length;
  const { stride = 0, max = 1 } = view.windows ?? {};
  const tokens = (row, paths) => bare(tokenizer, side(row, paths, view, room * max));

  return (row) => {
    const [left, right] = [tokens(row, view.left), pair ? tokens(row, view.right) : []];
    const [keptLeft, keptRight] = pair ? sharedRoom(left.length, right.length, room) : [0, room];
    const [long, length] = pair ? [right, keptRight] : [left, room];
    const step = Math.max(1, length - stride);
    const count = Math.max(1, Math.min(max, 1 + Math.ceil((long.length - length) / step)));
    const pieces = Array.from({ length: count }, (_, i) => long.slice(i * step, i * step + length));
    return pieces.map((piece) => framed(frame, pair ? [left.slice(0, keptLeft), piece] : [piece], view.pad_id));
  };
}

const bare = (tokenizer, text) => tokenizer.encode(text, { add_special_tokens: false });

function side(row, paths, view, reach) {
  const texts = paths.map((path) => [path, shortened(fieldText(row, path), Math.max(10_000, 100 * reach))]);
  const kept = texts.filter(([, text]) => text).map(([path, text]) => (own(view.prefixes, path) ?? "") + text);
  return kept.join(view.separator);
}

function fieldText(row, path) {
  const value = own(row, path) ?? path.split(".").reduce(own, row);
  const texts = [value ?? []].flat().filter((item) => item !== null).map((item) => plain(item, path));
  return texts.join(", ").split(SPACES).filter(Boolean).join(" ");
}

function plain(item, path) {
  if (typeof item === "boolean") return item ? "True" : "False";
  if (Number.isSafeInteger(item)) return String(item);
  if (typeof item === "string" && item.isWellFormed()) return item;
  throw new TypeError(`column '${path}' needs text, found ${item instanceof Decimal ? item : JSON.stringify(item)}`);
}

/** The whole words at the start of a text, `most` characters. */
function shortened(text, most) {
  const signs = text.length > most ? [...text] : [], start = signs.slice(0, most).join("");
  if (signs.length <= most) return text;
  return start.slice(0, Math.max(0, start.lastIndexOf(" "))) || start;
}

/** The special tokens before, between and after the sides, read off one example. */
function readFrame(tokenizer, pair) {
  const text = "a", own = bare(tokenizer, text);
  const told = { text_pair: pair ? text : null, return_tensor: false, return_token_type_ids: true };
  const { input_ids: ids, token_type_ids: types } = tokenizer(text, told);
  const parts = [{ around: [] }];
  for (let i = 0; i < ids.length; i++) {
    const here = own.length > 0 && parts.length < 2 + pair && own.every((id, k) => ids[i + k] === id);
    if (here) parts.push({ around: [], type: types[i] });
    else parts.at(-1).around.push([ids[i], types[i]]);
    i += here ? own.length - 1 : 0;
  }
  if (parts.length < 2 + pair) throw new Error("the tokenizer has no token for 'a', or leaves a side out");
  return parts;
}

function framed([before, ...parts], sides, padId) {
  const filled = parts.map(({ type, around }, i) => [...sides[i].map((id) => [id, type]), ...around]);
  const all = [before.around, ...filled].flat();
  const read = all.length ? all : [[padId, 0]]; // a model cannot read nothing
  return { ids: read.map(([id]) => id), types: read.map(([, type]) => type) };
}

/** Tokens that each side may keep: the longer side gives way first. */
function sharedRoom(left, right, room) {
  if (left + right <= room) return [left, right];
  const half = Math.floor(room / 2);
  if (Math.min(left, right) > half) return left > right ? [room - half, half] : [half, room - half];
  return left <= right ? [left, room - left] : [room - right, right];
}
