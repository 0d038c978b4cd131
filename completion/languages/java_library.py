"""Java's types that people use most, written from the documentation of the class library."""

from __future__ import annotations

from completion.languages.natives import natives

TABLE = """
class Object
boolean equals(Object other)
int hashCode()
String toString()
Class getClass()
void notify()
void notifyAll()
void wait()

class String : CharSequence
int length()
char charAt(int index)
boolean isEmpty()
boolean isBlank()
String substring(int begin, int end)
int indexOf(String text)
int lastIndexOf(String text)
boolean contains(CharSequence text)
boolean startsWith(String prefix)
boolean endsWith(String suffix)
boolean equalsIgnoreCase(String other)
int compareTo(String other)
int compareToIgnoreCase(String other)
String concat(String other)
String replace(CharSequence target, CharSequence replacement)
String replaceAll(String regex, String replacement)
String replaceFirst(String regex, String replacement)
boolean matches(String regex)
String[] split(String regex)
String join(CharSequence delimiter, CharSequence... elements)
String format(String format, Object... arguments)
String formatted(Object... arguments)
String valueOf(Object value)
String toLowerCase()
String toUpperCase()
String trim()
String strip()
String stripLeading()
String stripTrailing()
String repeat(int count)
String intern()
byte[] getBytes()
char[] toCharArray()
Stream<String> lines()

class CharSequence
IntStream chars()
CharSequence subSequence(int start, int end)

class StringBuilder : CharSequence
StringBuilder append(Object value)
StringBuilder insert(int offset, Object value)
StringBuilder reverse()
StringBuilder deleteCharAt(int index)
StringBuilder delete(int start, int end)
void setLength(int length)
void setCharAt(int index, char value)
int length()
char charAt(int index)
int indexOf(String text)

class Iterable<E>
Iterator<E> iterator()
void forEach(Consumer<E> action)
Spliterator<E> spliterator()

class Iterator<E>
boolean hasNext()
E next()
void remove()

class Collection<E> : Iterable<E>
int size()
boolean isEmpty()
boolean contains(Object element)
boolean containsAll(Collection<E> elements)
boolean add(E element)
boolean addAll(Collection<E> elements)
boolean remove(Object element)
boolean removeAll(Collection<E> elements)
boolean retainAll(Collection<E> elements)
boolean removeIf(Predicate<E> filter)
void clear()
Object[] toArray()
Stream<E> stream()
Stream<E> parallelStream()

class List<E> : Collection<E>
E get(int index)
E set(int index, E element)
E getFirst()
E getLast()
int indexOf(Object element)
int lastIndexOf(Object element)
List<E> subList(int from, int to)
void sort(Comparator<E> order)
void replaceAll(UnaryOperator<E> operator)
ListIterator<E> listIterator()
List<E> of(E... elements)
List<E> copyOf(Collection<E> elements)

class ArrayList<E> : List<E>
void ensureCapacity(int capacity)
void trimToSize()

class LinkedList<E> : Deque<E>
E get(int index)

class Set<E> : Collection<E>
Set<E> of(E... elements)
Set<E> copyOf(Collection<E> elements)

class HashSet<E> : Set<E>

class LinkedHashSet<E> : Set<E>

class TreeSet<E> : Set<E>
E first()
E last()
E floor(E element)
E ceiling(E element)

class Queue<E> : Collection<E>
boolean offer(E element)
E poll()
E peek()
E element()

class Deque<E> : Queue<E>
void addFirst(E element)
void addLast(E element)
E getFirst()
E getLast()
E removeFirst()
E removeLast()
E pollFirst()
E pollLast()
E peekFirst()
E peekLast()
void push(E element)
E pop()

class ArrayDeque<E> : Deque<E>

class Map<K, V>
V get(Object key)
V getOrDefault(Object key, V fallback)
V put(K key, V value)
V putIfAbsent(K key, V value)
void putAll(Map<K, V> entries)
V remove(Object key)
boolean containsKey(Object key)
boolean containsValue(Object value)
V computeIfAbsent(K key, Function<K, V> mapping)
V computeIfPresent(K key, BiFunction<K, V, V> remapping)
V compute(K key, BiFunction<K, V, V> remapping)
V merge(K key, V value, BiFunction<V, V, V> remapping)
Set<K> keySet()
Collection<V> values()
Set<Entry<K, V>> entrySet()
void forEach(BiConsumer<K, V> action)
void replaceAll(BiFunction<K, V, V> function)
int size()
boolean isEmpty()
void clear()
Map<K, V> of(K key, V value)

class HashMap<K, V> : Map<K, V>

class LinkedHashMap<K, V> : Map<K, V>

class ConcurrentHashMap<K, V> : Map<K, V>

class TreeMap<K, V> : Map<K, V>
K firstKey()
K lastKey()
Entry<K, V> firstEntry()
Entry<K, V> lastEntry()

class Entry<K, V>
K getKey()
V getValue()
V setValue(V value)

class Optional<T>
T get()
boolean isPresent()
boolean isEmpty()
T orElse(T other)
T orElseGet(Supplier<T> supplier)
T orElseThrow()
void ifPresent(Consumer<T> action)
void ifPresentOrElse(Consumer<T> action, Runnable otherwise)
Optional<T> filter(Predicate<T> predicate)
Optional<R> map(Function<T, R> mapper)
R flatMap(Function<T, R> mapper)
Optional<T> or(Supplier<T> supplier)
Stream<T> stream()
Optional<T> of(T value)
Optional<T> ofNullable(T value)
Optional<T> empty()

class Stream<T>
Stream<T> filter(Predicate<T> predicate)
Stream<R> map(Function<T, R> mapper)
R flatMap(Function<T, R> mapper)
IntStream mapToInt(Function<T, R> mapper)
LongStream mapToLong(Function<T, R> mapper)
DoubleStream mapToDouble(Function<T, R> mapper)
Stream<T> distinct()
Stream<T> sorted(Comparator<T> order)
Stream<T> peek(Consumer<T> action)
Stream<T> limit(long size)
Stream<T> skip(long count)
Stream<T> takeWhile(Predicate<T> predicate)
Stream<T> dropWhile(Predicate<T> predicate)
Stream<T> parallel()
void forEach(Consumer<T> action)
void forEachOrdered(Consumer<T> action)
T reduce(T identity, BiFunction<T, T, T> accumulator)
Object collect(Collector collector)
List<T> toList()
Object[] toArray()
Optional<T> min(Comparator<T> order)
Optional<T> max(Comparator<T> order)
long count()
boolean anyMatch(Predicate<T> predicate)
boolean allMatch(Predicate<T> predicate)
boolean noneMatch(Predicate<T> predicate)
Optional<T> findFirst()
Optional<T> findAny()
Stream<T> of(T... elements)

class IntStream
IntStream filter(Predicate<Integer> predicate)
Stream<R> mapToObj(Function<Integer, R> mapper)
Stream<Integer> boxed()
int sum()
int max()
int min()
long count()
void forEach(Consumer<Integer> action)

class CompletableFuture<T>
CompletableFuture<R> thenApply(Function<T, R> mapper)
CompletableFuture<T> thenAccept(Consumer<T> action)
R thenCompose(Function<T, R> mapper)
CompletableFuture<T> whenComplete(BiConsumer<T, Throwable> action)
CompletableFuture<T> exceptionally(Function<Throwable, T> handler)
T get()
T join()
boolean complete(T value)
boolean isDone()
boolean cancel(boolean interrupt)

class Throwable
String getMessage()
String getLocalizedMessage()
Throwable getCause()
void printStackTrace()
StackTraceElement[] getStackTrace()
void addSuppressed(Throwable exception)
Throwable initCause(Throwable cause)

class Exception : Throwable

class RuntimeException : Exception

class IllegalArgumentException : RuntimeException

class IllegalStateException : RuntimeException

class IOException : Exception

class Enum
String name()
int ordinal()
int compareTo(Object other)

class Class<T>
String getName()
String getSimpleName()
T cast(Object value)
boolean isInstance(Object value)
Package getPackage()
ClassLoader getClassLoader()

class Thread
void start()
void run()
void join()
void interrupt()
String getName()
boolean isAlive()
boolean isInterrupted()
Thread currentThread()
void sleep(long millis)

class Integer
int intValue()
long longValue()
double doubleValue()
int compareTo(Integer other)
int parseInt(String text)
Integer valueOf(Object value)

class Path
Path resolve(String other)
Path getParent()
Path getFileName()
Path toAbsolutePath()
Path normalize()
Path relativize(Path other)
boolean startsWith(Path other)
boolean endsWith(Path other)
File toFile()

class File
String getName()
String getPath()
String getAbsolutePath()
File getParentFile()
boolean exists()
boolean isFile()
boolean isDirectory()
boolean mkdirs()
boolean delete()
long length()
File[] listFiles()
Path toPath()

class Array<T>
int length
Array<T> clone()
"""

NATIVES = natives(TABLE, script=False)

ARRAY = "Array"

NAMES = (
    *("String", "Object", "Integer", "Long", "Double", "Float", "Boolean", "Character", "Byte"),
    *("Short", "Math", "System", "Thread", "Class", "Enum", "Iterable", "Runnable", "Override"),
    *("Deprecated", "SuppressWarnings", "FunctionalInterface", "SafeVarargs", "StringBuilder"),
    *("Exception", "RuntimeException", "IllegalArgumentException", "IllegalStateException"),
    *("NullPointerException", "UnsupportedOperationException", "InterruptedException"),
    *("IndexOutOfBoundsException", "NumberFormatException", "ClassCastException", "Throwable"),
    *("Error", "AutoCloseable", "Comparable", "CharSequence", "Number", "Void", "Process"),
)
"""The classes of ``java.lang`` that every file sees."""

FUNCTIONS = frozenset(
    (
        *("Function", "BiFunction", "Consumer", "BiConsumer", "Predicate", "BiPredicate"),
        *("Supplier", "UnaryOperator", "BinaryOperator", "Comparator", "Callable"),
    )
)
"""Interfaces of functions; their first type arguments are the parameters' types."""

KEYWORDS = (
    *("abstract", "assert", "boolean", "break", "byte", "case", "catch", "char", "class"),
    *("continue", "default", "do", "double", "else", "enum", "extends", "false", "final"),
    *("finally", "float", "for", "if", "implements", "import", "instanceof", "int", "interface"),
    *("long", "native", "new", "null", "package", "permits", "private", "protected", "public"),
    *("record", "return", "sealed", "short", "static", "super", "switch", "synchronized"),
    *("this", "throw", "throws", "transient", "true", "try", "var", "void", "volatile"),
    *("while", "yield"),
)
IN_EXPRESSIONS = frozenset(
    (
        *("new", "this", "super", "null", "true", "false", "instanceof", "switch", "int", "long"),
        *("boolean", "double", "float", "char", "byte", "short", "final", "var", "extends"),
        *("implements", "throws", "else", "void", "class", "default"),
    )
)
"""The keywords that can stand inside a statement."""
