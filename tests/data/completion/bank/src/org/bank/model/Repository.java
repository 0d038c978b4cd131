package org.bank.model;

import java.util.List;
import java.util.function.Consumer;

public interface Repository<T> {
    T find(String id);

    List<T> all();

    void each(Consumer<T> action);

    <R> R load(Class<R> type, String id);
}
