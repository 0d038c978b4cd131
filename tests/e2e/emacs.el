;; Drives Emacs: types into a buffer that eglot attached to a server, completes at point, and writes
;; what came of it to a JSON file.
;;
;; LANCEFILL_CONFIG names the person's configuration, LANCEFILL_ANSWERS the file to write.

(package-initialize)
(load (getenv "LANCEFILL_CONFIG") nil t)
(require 'eglot)
(require 'json)

(defvar answers nil)

(defun wait-until (reached)
  (let ((end (+ (float-time) 150)))
    (while (and (not (funcall reached)) (< (float-time) end))
      (sleep-for 0.5))))

(defun ready-p ()
  (let* ((status (jsonrpc-request (eglot-current-server) :lancefill/status nil))
         (folder (aref (plist-get status :folders) 0)))
    (and (equal (plist-get status :model) "ready")
         (equal (plist-get (plist-get folder :progress) :phase) "ready"))))

(defun note (name value) (push (cons name value) answers))

;; Names at point in the order in which Emacs shows them, and what is to be done with a chosen one.
(defun completions ()
  (pcase-let* ((`(,_ ,start ,end ,table . ,plist)
                (run-hook-wrapped 'completion-at-point-functions #'completion--capf-wrapper 'all))
               (metadata (cdr (completion-metadata "" table nil)))
               (found (all-completions (buffer-substring start end) table)))
    (list (funcall (alist-get 'display-sort-function metadata) found)
          start end (plist-get plist :exit-function))))

(defun labels () (vconcat (mapcar #'substring-no-properties (car (completions)))))

(defun accept-first ()
  (pcase-let ((`((,first . ,_) ,start ,end ,exit) (completions)))
    (delete-region start end)
    (insert first)
    (funcall exit first 'finished)))

(defun session ()
  (find-file "use.py")
  (apply #'eglot--connect (eglot--guess-contact))
  (note "managed" (if (eglot-managed-p) t :json-false))
  (wait-until #'ready-p)
  (goto-char (point-min))
  (insert "# 🎉 größe\n")
  (goto-char (point-max))
  (insert "value = \"🎉é\"; c.")
  (note "members" (labels))
  (insert "se")
  (note "typed" (labels))
  (accept-first)
  (insert "\n# gone\ny = conn")
  (search-backward "# gone\n")
  (delete-region (point) (+ (point) 7))
  (goto-char (point-max))
  (note "imported" (labels))
  (accept-first)
  (save-buffer)
  (note "text" (buffer-string))
  (note "coding" (symbol-name buffer-file-coding-system))
  (kill-buffer)
  (let ((server (car (apply #'append (hash-table-values eglot--servers-by-project)))))
    (eglot-shutdown server nil 20)
    (note "running" (if (jsonrpc-running-p server) t :json-false))))

(condition-case problem
    (session)
  (error (note "failed" (format "%S" problem))))
(with-temp-file (getenv "LANCEFILL_ANSWERS")
  (insert (json-encode answers)))
