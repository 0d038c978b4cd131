package org.bank.model;

import java.util.List;
import java.util.Map;
import java.util.Optional;

public class Account extends Entity implements Comparable<Account> {
    public static final int LIMIT = 3;
    protected String owner;
    private long balance;
    public List<Entry> entries;

    public Account(String owner) {
        this.owner = owner;
    }

    public static Account open(String owner) {
        return new Account(owner);
    }

    public long getBalance() {
        return balance;
    }

    public Account deposit(long amount) {
        return this;
    }

    public Map<String, Entry> byName() {
        return null;
    }

    public Optional<Entry> last() {
        return Optional.empty();
    }

    public enum State {
        OPEN,
        CLOSED;

        public boolean isOpen() {
            return this == OPEN;
        }
    }

    public static class Entry {
        public long amount;

        public Account target() {
            return null;
        }
    }
}
