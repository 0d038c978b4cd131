package org.bank;

import org.bank.model.Account;
//? org
import ‸;
//? bank
import org.‸;
//? model Members Places Point
import org.bank.‸;
//? Account Accounts Entity
import org.bank.model.‸;

public class Places {
    private Account field;

    //? Override
    @Over‸
    void places(Account account, int count) {
        int local = 1;
        //? local account count field places helper return Account Members
        ‸
        //? local !return
        int more = lo‸;
        //? anything
        String te‸
        //? anything
        // account.‸
        //? anything
        String text = "account.‸";
        //? Account
        Object made = new Acc‸;
        //? Accounts
        Acco‸
        //? Repository
        List<Repo‸
    }

    void helper() {}
}

//? Account
class Special extends Acc‸ {}
