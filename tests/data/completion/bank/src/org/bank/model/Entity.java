package org.bank.model;

public abstract class Entity {
    protected String id;

    public String getId() {
        return id;
    }
}
