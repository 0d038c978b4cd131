"""JavaScript's types that people use most, written from the language's documentation."""

from __future__ import annotations

from completion.languages.natives import natives

TABLE = """
class Object
hasOwnProperty(key: string): boolean
toString(): string
valueOf(): unknown
toLocaleString(): string
isPrototypeOf(value: unknown): boolean
propertyIsEnumerable(key: string): boolean

class String
length: number
at(index: number): string
charAt(index: number): string
charCodeAt(index: number): number
codePointAt(index: number): number
concat(other: string): string
endsWith(suffix: string): boolean
includes(text: string): boolean
indexOf(text: string): number
lastIndexOf(text: string): number
localeCompare(other: string): number
match(pattern: RegExp): string[]
matchAll(pattern: RegExp): Iterable<string[]>
normalize(form: string): string
padEnd(length: number, fill: string): string
padStart(length: number, fill: string): string
repeat(count: number): string
replace(pattern: RegExp, replacement: string): string
replaceAll(pattern: RegExp, replacement: string): string
search(pattern: RegExp): number
slice(start: number, end: number): string
split(separator: string): string[]
startsWith(prefix: string): boolean
substring(start: number, end: number): string
toLowerCase(): string
toUpperCase(): string
toLocaleLowerCase(): string
toLocaleUpperCase(): string
trim(): string
trimEnd(): string
trimStart(): string

class Number
toFixed(digits: number): string
toPrecision(precision: number): string
toExponential(digits: number): string

class Boolean

class Array<T>
length: number
at(index: number): T
concat(items: T[]): T[]
copyWithin(target: number, start: number, end: number): T[]
entries(): Iterable<[number, T]>
every(predicate: (value: T, index: number) => boolean): boolean
fill(value: T): T[]
filter(predicate: (value: T, index: number) => boolean): T[]
find(predicate: (value: T, index: number) => boolean): T
findIndex(predicate: (value: T, index: number) => boolean): number
findLast(predicate: (value: T, index: number) => boolean): T
findLastIndex(predicate: (value: T, index: number) => boolean): number
flat(depth: number): T
flatMap(callback: (value: T, index: number) => U): U
forEach(callback: (value: T, index: number) => void): void
includes(value: T): boolean
indexOf(value: T): number
join(separator: string): string
keys(): Iterable<number>
lastIndexOf(value: T): number
map(callback: (value: T, index: number) => U): U[]
pop(): T
push(item: T): number
reduce(callback: (total: U, value: T, index: number) => U, initial: U): U
reduceRight(callback: (total: U, value: T, index: number) => U, initial: U): U
reverse(): T[]
shift(): T
slice(start: number, end: number): T[]
some(predicate: (value: T, index: number) => boolean): boolean
sort(compare: (a: T, b: T) => number): T[]
splice(start: number, count: number): T[]
toReversed(): T[]
toSorted(compare: (a: T, b: T) => number): T[]
toSpliced(start: number, count: number): T[]
unshift(item: T): number
values(): Iterable<T>
with(index: number, value: T): T[]

class Promise<T>
then(fulfilled: (value: T) => U, rejected: (reason: Error) => void): Promise<U>
catch(rejected: (reason: Error) => void): Promise<T>
finally(done: () => void): Promise<T>

class Map<K, V>
size: number
clear(): void
delete(key: K): boolean
entries(): Iterable<[K, V]>
forEach(callback: (value: V, key: K) => void): void
get(key: K): V
has(key: K): boolean
keys(): Iterable<K>
set(key: K, value: V): Map<K, V>
values(): Iterable<V>

class WeakMap<K, V>
delete(key: K): boolean
get(key: K): V
has(key: K): boolean
set(key: K, value: V): WeakMap<K, V>

class Set<T>
size: number
add(value: T): Set<T>
clear(): void
delete(value: T): boolean
entries(): Iterable<[T, T]>
forEach(callback: (value: T) => void): void
has(value: T): boolean
keys(): Iterable<T>
values(): Iterable<T>

class Iterable<T>
next(): unknown
return(): unknown

class Date
getDate(): number
getDay(): number
getFullYear(): number
getHours(): number
getMilliseconds(): number
getMinutes(): number
getMonth(): number
getSeconds(): number
getTime(): number
getTimezoneOffset(): number
setDate(day: number): number
setHours(hours: number): number
setMinutes(minutes: number): number
setTime(time: number): number
toISOString(): string
toJSON(): string
toLocaleDateString(): string
toLocaleTimeString(): string
toDateString(): string

class RegExp
exec(text: string): string[]
test(text: string): boolean
flags: string
global: boolean
lastIndex: number
source: string

class Error
message: string
name: string
stack: string
cause: unknown

class Function
apply(receiver: unknown, values: unknown[]): unknown
bind(receiver: unknown): Function
call(receiver: unknown): unknown
length: number
name: string
"""

NATIVES = natives(TABLE, script=True)

ARRAY = "Array"

SAME_AS = {
    **{"string": "String", "number": "Number", "boolean": "Boolean", "bigint": "Number"},
    **{"ReadonlyArray": "Array", "ReadonlyMap": "Map", "ReadonlySet": "Set"},
    **{"PromiseLike": "Promise", "Iterator": "Iterable", "IterableIterator": "Iterable"},
    **{"Generator": "Iterable", "AsyncIterable": "Iterable", "AsyncGenerator": "Iterable"},
    **{"AsyncIterableIterator": "Iterable", "TypeError": "Error", "RangeError": "Error"},
}
"""Other names for a type of the table."""

WRAPPERS = frozenset(
    (
        *("Readonly", "Partial", "Required", "NonNullable", "Awaited", "Pick", "Omit"),
        *("DeepPartial", "DeepReadonly", "Extract", "NoInfer"),
    )
)
"""Types that have the members of their first argument."""

NAMES = {
    **dict.fromkeys(
        (
            *("Array", "Boolean", "Date", "Error", "Map", "Number", "Object", "Promise", "Proxy"),
            *("RegExp", "Set", "String", "Symbol", "TypeError", "RangeError", "URL", "WeakMap"),
            *("URLSearchParams", "AbortController", "Uint8Array", "ArrayBuffer", "BigInt"),
        ),
        "class",
    ),
    **dict.fromkeys(
        (
            *("clearInterval", "clearTimeout", "decodeURIComponent", "encodeURIComponent"),
            *("fetch", "isNaN", "parseFloat", "parseInt", "queueMicrotask", "setInterval"),
            *("setTimeout", "structuredClone", "require"),
        ),
        "function",
    ),
    **dict.fromkeys(
        (
            *("JSON", "Math", "Reflect", "console", "document", "globalThis", "process", "window"),
            *("NaN", "Infinity", "undefined", "module", "exports"),
        ),
        "constant",
    ),
}
"""What a file sees without importing anything, with kinds."""

KEYWORDS = (
    *("async", "await", "break", "case", "catch", "class", "const", "continue", "debugger"),
    *("default", "delete", "do", "else", "export", "extends", "false", "finally", "for", "from"),
    *("function", "get", "if", "import", "in", "instanceof", "let", "new", "null", "of"),
    *("return", "set", "static", "super", "switch", "this", "throw", "true", "try", "typeof"),
    *("var", "void", "while", "yield"),
)
TYPE_KEYWORDS = (
    *("abstract", "any", "as", "boolean", "declare", "enum", "implements", "infer", "interface"),
    *("is", "keyof", "namespace", "never", "number", "object", "override", "private"),
    *("protected", "public", "readonly", "satisfies", "string", "type", "unknown"),
)
IN_EXPRESSIONS = frozenset(
    (
        *("async", "await", "class", "delete", "false", "function", "in", "instanceof", "new"),
        *("null", "of", "super", "this", "true", "typeof", "void", "yield", "from", "extends"),
        *("else", "const", "let", *TYPE_KEYWORDS),
    )
)
"""The keywords that can stand inside a statement."""
