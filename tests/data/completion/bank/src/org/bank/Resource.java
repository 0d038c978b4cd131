package org.bank;

class Resource implements AutoCloseable {
    int read() {
        return 0;
    }

    public void close() {}
}
