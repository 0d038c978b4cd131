import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.ExpressionTree;
import com.sun.source.tree.IdentifierTree;
import com.sun.source.tree.ImportTree;
import com.sun.source.tree.MemberSelectTree;
import com.sun.source.tree.MethodInvocationTree;
import com.sun.source.tree.NewClassTree;
import com.sun.source.tree.ParameterizedTypeTree;
import com.sun.source.tree.ParenthesizedTree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreePath;
import com.sun.source.util.TreePathScanner;
import com.sun.source.util.Trees;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.lang.model.element.Element;
import javax.lang.model.type.TypeKind;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * Says, as javac sees it, which file defines what each call of a repository calls.
 *
 * <p>{@code java Calls.java ROOT} with the paths of the files, relative to ROOT, on standard input.
 * Each call whose callee is defined in one of them is one line, fields divided by tabs: path,
 * offset and end of the callee's name, start and end of the receiver (-1 without one), its form,
 * whether an import of the file binds the first name, the defining path. Offsets count UTF-16 units.
 * Libraries are not needed: what depends on them is an error to javac and missing here.
 */
public final class Calls extends TreePathScanner<Void, Void> {
    private final Path root;
    private final Trees trees;
    private final SourcePositions positions;
    private final PrintStream out;
    private CompilationUnitTree unit;
    private Set<String> imported;

    private Calls(Path root, Trees trees, PrintStream out) {
        this.root = root;
        this.trees = trees;
        this.positions = trees.getSourcePositions();
        this.out = out;
    }

    public static void main(String[] args) throws IOException {
        Path root = Path.of(args[0]);
        List<Path> paths = new ArrayList<>();
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            paths.add(root.resolve(line));
        }
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        StandardJavaFileManager manager =
                compiler.getStandardFileManager(ignored -> {}, null, StandardCharsets.UTF_8);
        JavacTask task =
                (JavacTask)
                        compiler.getTask(
                                null,
                                manager,
                                ignored -> {},
                                List.of("-proc:none", "-XDshould-stop.ifError=FLOW"),
                                null,
                                manager.getJavaFileObjectsFromPaths(paths));
        List<CompilationUnitTree> units = new ArrayList<>();
        task.parse().forEach(units::add);
        task.analyze();
        var out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        Calls calls = new Calls(root, Trees.instance(task), out);
        for (CompilationUnitTree unit : units) {
            calls.read(unit);
        }
        out.flush();
    }

    private void read(CompilationUnitTree read) {
        unit = read;
        imported = new HashSet<>();
        for (ImportTree each : read.getImports()) {
            if (each.getQualifiedIdentifier() instanceof MemberSelectTree name) {
                imported.add(name.getIdentifier().toString());
            }
        }
        scan(read, null);
    }

    @Override
    public Void visitMethodInvocation(MethodInvocationTree call, Void nothing) {
        write(call.getMethodSelect());
        return super.visitMethodInvocation(call, nothing);
    }

    @Override
    public Void visitNewClass(NewClassTree call, Void nothing) {
        ExpressionTree name = call.getIdentifier();
        if (name instanceof ParameterizedTypeTree generic
                && generic.getType() instanceof ExpressionTree plain) {
            name = plain;
        }
        if (call.getEnclosingExpression() == null && name instanceof IdentifierTree) {
            write(name);
        }
        return super.visitNewClass(call, nothing);
    }

    private void write(ExpressionTree callee) {
        ExpressionTree receiver = null;
        String name;
        if (callee instanceof MemberSelectTree select) {
            receiver = select.getExpression();
            name = select.getIdentifier().toString();
        } else {
            name = callee.toString();
        }
        String file = definition(trees.getElement(new TreePath(getCurrentPath(), callee)));
        long end = positions.getEndPosition(unit, callee);
        if (file == null || end < 0 || name.equals("this") || name.equals("super")) {
            return;
        }
        long from = receiver == null ? -1 : positions.getStartPosition(unit, receiver);
        long to = receiver == null ? -1 : positions.getEndPosition(unit, receiver);
        String form = receiver == null ? "" : form(receiver);
        String first = receiver == null ? name : receiver.toString().split("[.(]", 2)[0];
        String path = relative(unit.getSourceFile().toUri());
        boolean bound = imported.contains(first);
        out.println(
                String.join(
                        "\t",
                        path,
                        Long.toString(end - name.length()),
                        Long.toString(end),
                        Long.toString(from),
                        Long.toString(to),
                        form,
                        Boolean.toString(bound),
                        file));
    }

    /** The file that holds an element's source; null where it is not known or not in a file. */
    private String definition(Element element) {
        for (Element at = element; at != null; at = at.getEnclosingElement()) {
            if (at.asType().getKind() == TypeKind.ERROR) {
                return null;
            }
            TreePath path = trees.getPath(at);
            if (path != null) {
                return relative(path.getCompilationUnit().getSourceFile().toUri());
            }
        }
        return null;
    }

    private String relative(java.net.URI file) {
        return root.relativize(Path.of(file)).toString().replace('\\', '/');
    }

    private String form(ExpressionTree receiver) {
        if (receiver instanceof MethodInvocationTree || receiver instanceof NewClassTree) {
            return "call";
        }
        if (receiver instanceof ParenthesizedTree) {
            return "other";
        }
        String text = receiver.toString();
        if (text.equals("this") || text.equals("super")) {
            return "self";
        }
        Element element = trees.getElement(new TreePath(getCurrentPath(), receiver));
        if (element == null) {
            return "other";
        }
        return switch (element.getKind()) {
            case PARAMETER, EXCEPTION_PARAMETER -> "parameter";
            case LOCAL_VARIABLE, BINDING_VARIABLE, RESOURCE_VARIABLE -> "variable";
            case FIELD, ENUM_CONSTANT -> "attribute";
            case CLASS, INTERFACE, ENUM, RECORD, ANNOTATION_TYPE, PACKAGE -> "imported";
            default -> "other";
        };
    }
}
