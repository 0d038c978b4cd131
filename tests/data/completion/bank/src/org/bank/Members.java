package org.bank;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bank.model.Account;
import org.bank.model.Accounts;
import org.bank.model.Repository;

public class Members extends Base {
    private final Accounts accounts = null;
    private Repository<Account> plain;
    private Point point;
    List<Account> list = new ArrayList<>();

    public Members(Account given) {
        //? getBalance deposit getId !open !LIMIT !balance
        given.
        //? accounts plain list helper balance !shared
        this.
        //? helper balance
        super.
    }

    void receivers(Account account, Account... many) {
        //? getBalance deposit last byName equals
        account.
        //? getBalance
        account.deposit(1).deposit(2).
        //? open LIMIT State Entry !deposit
        Account.
        //? deposit
        Account.open("a").
        //? deposit
        new Account("a").
        //? OPEN CLOSED
        Account.State.
        //? isOpen
        Account.State.OPEN.
        //? newest find all each
        accounts.
        //? deposit
        accounts.newest().
        //? deposit
        accounts.find("1").
        //? deposit
        plain.find("1").
        //? deposit
        accounts.load(Account.class, "1").
        //? deposit
        many[0].
        //? account x
        point.
        //? deposit
        point.account().
        //? length substring
        account.getId().
        //? deposit getBalance
        ((Account) null).
        //? helper
        shared.
        //? deposit
        helper().
        //? open deposit getBalance
        Account::
    }

    void containers(Map<String, Account> byName) {
        //? get add stream
        list.
        //? deposit
        list.get(0).
        //? deposit
        byName.get("a").
        for (Account one : list) {
            //? deposit
            one.
        }
        for (var each : accounts.all()) {
            //? deposit
            each.
        }
        for (Map.Entry<String, Account> entry : byName.entrySet()) {
            //? getKey getValue
            entry.
            //? deposit
            entry.getValue().
        }
        //? deposit
        list.stream().filter(a -> a.‸)
        //? target amount
        list.stream().map(a -> a.last().get()).filter(e -> e.‸)
        //? substring
        list.stream().map(Account::getId).filter(s -> s.‸)
        //? deposit
        accounts.each(a -> a.‸);
        //? deposit
        byName.forEach((name, value) -> value.‸);
        //? amount
        list.get(0).last().ifPresent(e -> e.‸);
        //? amount
        list.get(0).last().orElse(null).
        //? amount
        list.get(0).byName().get("x").
        var found = accounts.newest();
        //? deposit
        found.
        Account[] array = new Account[3];
        //? deposit
        array[0].
    }

    void values(Object thing) {
        if (thing instanceof Account) {
            //? deposit
            thing.
        }
        if (thing instanceof Account account && account.getBalance() > 0) {
            //? deposit
            account.
        }
        try (Resource resource = new Resource()) {
            //? read close
            resource.
        } catch (IllegalStateException problem) {
            //? getMessage
            problem.
        }
        Account either = thing == null ? null : Account.open("x");
        //? deposit
        either.
        String text = "a" + thing;
        //? trim
        text.
        //? trim
        "a".
        Runnable later = () -> {
            //? deposit
            list.get(0).
        };
    }
}
